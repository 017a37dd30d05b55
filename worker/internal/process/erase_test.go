package process_test

import (
	"net/http"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// What a drain has leased, and so has in memory, is not sent once the erasure of its lead was answered; the rest is.
func TestNothingOfALeadIsSentAfterItsErasure(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*webhook.Endpoint){
		"the receiver is slow":     func(e *webhook.Endpoint) { e.MaxInFlight = 1 },
		"the rate is low":          func(e *webhook.Endpoint) { e.MaxInFlight, e.Rate = 1, 2 },
		"several are sent at once": func(e *webhook.Endpoint) { e.MaxInFlight = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			erased := make(chan struct{})
			rec := mustReceive(t, func(n int, _ http.ResponseWriter, r *http.Request) {
				if n > 3 { // those that the fastest endpoint here takes at once
					return
				}
				select {
				case <-erased:
				case <-r.Context().Done():
				}
			})
			e := webhook.Endpoint{URL: rec.URL}
			change(&e)
			e = b.mustEndpointWith(e)
			const n = 8
			drains := b.mustLeads(n)
			last := pgtest.Leads(t, b.db, b.ws, 1)[0] // sent after the others
			b.worker(options{sweep: 100 * time.Millisecond})
			b.mustWake(drains...)
			arrived := []request{rec.mustNext(t)} // the lease is taken
			if _, err := b.db.EraseLead(t.Context(), b.ws, last.ID, pg.Erasure{}); err != nil {
				t.Fatal(err)
			}
			close(erased)
			b.mustWake(b.mustLeads(1)...) // sent after the others
			for len(arrived) < n+1 {
				arrived = append(arrived, rec.mustNext(t))
			}
			b.awaitDelivered(e, n+1)
			for _, r := range arrived {
				if r.id == id.Event.Format(last.EventID) {
					t.Error("the erased lead was sent")
				}
			}
		})
	}
}

// awaitDelivered waits until n deliveries of an endpoint are delivered and none is pending.
func (b *bundle) awaitDelivered(e webhook.Endpoint, n int) {
	b.Helper()
	testwait.Until(b, "all are delivered", func() bool {
		delivered := 0
		all, _ := b.deliveries(e)
		for _, d := range all {
			switch d.State {
			case webhook.Delivered:
				delivered++
			case webhook.Pending:
				return false
			}
		}
		return delivered == n
	})
}
