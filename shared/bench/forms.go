package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
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
	db, err := b.openDB()
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
	all, done, err := dial(b.addr(), conns)
	if err != nil {
		return err
	}
	defer done()
	var mu sync.Mutex
	took := map[bool][]time.Duration{} // by whether the email is known
	post := func(worker int, n int64) (status int, err error) {
		c := all[worker]
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
		return createdIfOK(got.Status), err
	}
	var res *result
	u, err := b.metered(ctx, func() error {
		if res, err = closedLoop(ctx, conns, b.duration, post); err != nil {
			return err
		}
		return b.awaitAllIdle(ctx)
	})
	if err != nil {
		return err
	}
	name := strconv.Itoa(conns) + " visitors at once"
	b.printf("%-26s %v", name, res)
	b.printf("%-26s new email   p50 %v; known email   p50 %v", "", half(took[false]), half(took[true]))
	b.figures(name, res)
	b.figure(name, "new_p50", milliseconds(half(took[false])), "ms")
	b.figure(name, "known_p50", milliseconds(half(took[true])), "ms")
	b.used(name, u, per{res.accepted, "post"})
	return nil
}

// createdIfOK makes the answer of a form what is counted as a success: it says "received", loads count what was
// created.
func createdIfOK(status int) int {
	if status == http.StatusOK {
		return http.StatusCreated
	}
	return status
}

func half(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2].Round(10 * time.Microsecond)
}
