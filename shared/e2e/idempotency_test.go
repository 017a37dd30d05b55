package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
)

var retries = flag.Int("retries", 1000, "leads that are posted over connections that break off")

// Leads are posted over connections that break off at any point, each under one key until there is an answer: there is
// one lead for each key, and who asks again is told the same, byte for byte.
func TestRetriesOverBrokenConnections(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(*retries)*10*time.Millisecond)
	defer cancel()
	const clients = 24
	var next, broken, replayed atomic.Int64
	var wg sync.WaitGroup
	for client := range uint64(clients) {
		wg.Go(func() {
			f := &loadgen.FlakyClient{Addr: strings.TrimPrefix(c.URL, "http://"), Path: "/api/v1/leads", Key: c.key, Breaks: 0.4,
				Random: rand.New(rand.NewPCG(1, client))}
			defer f.Close()
			for {
				n := int(next.Add(1))
				if n > *retries {
					broken.Add(int64(f.Broken))
					return
				}
				lead := []byte(body(fmt.Sprintf("retry.%d@example.com", n)))
				first, err := f.Post(ctx, loadgen.IdempotencyKey("e2e", n), lead)
				if err != nil {
					t.Error(err)
					return
				}
				again, err := f.Post(ctx, loadgen.IdempotencyKey("e2e", n), lead)
				if err != nil {
					t.Error(err)
					return
				}
				if first.Replayed {
					replayed.Add(1)
				}
				if first.Status != http.StatusCreated || again.Status != first.Status || !again.Replayed ||
					!bytes.Equal(first.Body, again.Body) {
					t.Errorf("key %d: %d %s, then %d %s, want one 201 twice", n, first.Status, first.Body, again.Status, again.Body)
				}
			}
		})
	}
	wg.Wait()
	if rows := c.countLeads(t); rows != *retries {
		t.Errorf("%d keys made %d leads", *retries, rows)
	}
	if broken.Load() < int64(*retries/10) || replayed.Load() == 0 {
		t.Errorf("%d tries broke off and %d first answers had been lost before: that tries nothing", broken.Load(),
			replayed.Load())
	}
	t.Logf("%d keys, %d tries broke off, %d answers had been lost before", *retries, broken.Load(), replayed.Load())
}

// countLeads counts the tenant's leads in Postgres.
func (c *tenant) countLeads(t *testing.T) (n int) {
	t.Helper()
	db, err := pg.Open(c.DatabaseURL, pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	workspace, err := id.Workspace.Parse(c.workspace)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.GetContext(t.Context(), &n, `select count(*) from leads where workspace_id = $1`, workspace); err != nil {
		t.Fatal(err)
	}
	return n
}
