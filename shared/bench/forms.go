package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// trustLoopback lets the visitors of forms have addresses of their own.
const trustLoopback = "LEADGATE_TRUSTED_PROXIES=127.0.0.0/8"

// forms measures how many submissions a form takes, half of them of somebody who is known, and whether a visitor can
// tell by the time it takes. A form does not answer before form.DefaultMinResponseTime, so that rates are bounded by
// the number of visitors; processor time is not.
func (b *bench) forms(ctx context.Context) error {
	_, key, err := b.makeForm(ctx)
	if err != nil {
		return err
	}
	for _, conns := range b.conns {
		for range b.rounds {
			if err := b.sendForm(ctx, key, conns); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeForm makes a tenant with a form that nobody is limited at, and returns its key.
func (b *bench) makeForm(ctx context.Context) (workspace id.UUID, key string, err error) {
	db, err := pg.Open(b.DatabaseURL, pg.Options{Application: "leadgate bench"})
	if err != nil {
		return workspace, "", err
	}
	defer db.Close()
	t, err := loadgen.NewTenant(ctx, db, "forms")
	if err != nil {
		return workspace, "", err
	}
	key = tenant.NewText(tenant.PublishableKey, false)
	hash, ok := tenant.HashSecret(key)
	if !ok {
		return workspace, "", errors.New("a new key does not hash")
	}
	k := tenant.Key{WorkspaceID: t.Workspace, ID: id.New(), Name: "forms", Kind: tenant.PublishableKey, Public: key,
		Form: &tenant.Form{Origins: []string{tenant.AnyOrigin}, PerMinute: tenant.MaxFormRate, PerMinuteIP: tenant.MaxFormRate}, CreatedAt: time.Now()}
	return t.Workspace, key, db.CreateKey(ctx, k, hash)
}

// sendForm has so many visitors at once send the form. Every second one has sent it before.
func (b *bench) sendForm(ctx context.Context, key string, conns int) error {
	run := b.nextRun()
	all := make([]*loadgen.Conn, conns)
	defer func() {
		for _, c := range all {
			if c != nil {
				c.Close()
			}
		}
	}()
	var mu sync.Mutex
	took := map[bool][]time.Duration{} // by whether the email is known
	before := b.cpu()
	res, err := closedLoop(ctx, conns, b.duration, func(worker int, n int64) (status int, err error) {
		c := all[worker]
		if c == nil {
			if c, err = loadgen.Dial(strings.TrimPrefix(b.URL, "http://")); err != nil {
				return 0, err
			}
			all[worker] = c
		}
		known, who := n%2 == 0, n
		if known {
			who = max(1, n/4)
		}
		c.Header = fmt.Sprintf("X-Forwarded-For: 203.%d.%d.%d\r\n", n>>16&255, n>>8&255, n&255)
		body := fmt.Appendf(nil, `{"name":"John Doe","email":"%s%d@example.com","message":"I have a question about order %d.",`+
			`"_page":"https://www.example.com/pricing?utm_source=google"}`, emailOf(run), who, n)
		begin := time.Now()
		got, err := c.Post("/f/"+key, "none", body)
		mu.Lock()
		took[known] = append(took[known], time.Since(begin))
		mu.Unlock()
		if got.Status == http.StatusOK { // closedLoop counts what was created
			got.Status = http.StatusCreated
		}
		return got.Status, err
	})
	if err != nil {
		return err
	}
	b.printf("%-26s %v", strconv.Itoa(conns)+" visitors at once", res)
	b.printf("%-26s %s", "", b.cpu().per(before, res.accepted, "post"))
	b.printf("%-26s new email   p50 %v; known email   p50 %v", "", half(took[false]), half(took[true]))
	return b.awaitAllIdle(ctx)
}

func half(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2].Round(10 * time.Microsecond)
}
