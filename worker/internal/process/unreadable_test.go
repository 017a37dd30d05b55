package process_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/secret"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// useSecretKey makes the bundle's pool one of a process with this key.
func (b *bundle) useSecretKey(key string) {
	b.Helper()
	ring, err := secret.Parse(key)
	if err != nil {
		b.Fatal(err)
	}
	opt := pg.StartOptions{AllowUnsafe: true, Secrets: ring}
	if err := b.db.Start(b.Context(), slog.New(slog.DiscardHandler), opt); err != nil {
		b.Fatal(err)
	}
}

// A worker without the key of an endpoint's secrets sends nothing unsigned and uses up no try; one attempt in its name
// tells why. With the key everything goes.
func TestUnreadableSecretsWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := mustReceive(t, nil)
	const key = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	b.useSecretKey(key)
	e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, Headers: map[string]string{"X-Token": "hunter2"}})
	const n = 40
	keys := b.mustLeads(n)

	b.useSecretKey("k2:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=")
	stop := b.worker(options{sweep: 100 * time.Millisecond})
	b.mustWake(keys...)
	testwait.Until(t, "a task in retry that names the key", func() bool {
		standing := b.standing()
		return len(standing) == 1 && strings.Contains(standing[0].LastErr, `"k1"`)
	})
	stop(0)
	if states, attempts := b.states(e); states[webhook.Pending] != n || attempts != 1 {
		t.Errorf("states = %v, attempts = %d, want %d pending and one attempt", states, attempts, n)
	}
	all, made := b.deliveries(e)
	told := made[all[len(all)-1].ID]
	if len(told) != 1 || webhook.ClassOf(told[0].Error) != webhook.FailedInternal || told[0].Status != 0 {
		t.Errorf("attempts of the oldest delivery = %+v, want one that is a fault of ours", told)
	}
	if tries := b.number(`select sum(tries) from deliveries where workspace_id = $1`, b.ws); tries != 0 {
		t.Errorf("tries = %d, want none used", tries)
	}

	b.useSecretKey(key)
	b.mustExec(`update endpoints set probe_at = null where id = $1`, e.ID)
	b.worker(options{sweep: 100 * time.Millisecond})
	for range n {
		got := rec.mustNext(t)
		verify(t, e, got)
		if got.head.Get("X-Token") != "hunter2" {
			t.Errorf("X-Token = %q, want the endpoint's", got.head.Get("X-Token"))
		}
	}
	b.awaitStates(e, n, webhook.Delivered)
}
