package process_test

import (
	"database/sql"
	"net/http"
	"slices"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// A transaction that stays open, such as a backup, keeps the rows of delivered webhooks in the index of what is due. A
// drain does not read them again with each batch.
func TestDrainBesideAnOldSnapshot(t *testing.T) {
	t.Parallel()
	const n = 3000
	b := setup(t)
	rec := mustReceive(t, nil)
	e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, MaxInFlight: 32})
	wake := b.mustLeads(n)
	b.mustExec(`update deliveries set next_at = next_at - interval '1 minute' where workspace_id = $1`, b.ws)
	b.mustExec(`vacuum deliveries`)
	backup, err := b.db.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Rollback()
	var rows int
	if err := backup.Get(&rows, `select count(*) from deliveries`); err != nil || rows != n {
		t.Fatalf("%d deliveries, %v, want %d", rows, err, n)
	}
	stop := b.worker(options{maxRun: time.Minute})
	b.mustWake(wake...)
	b.awaitStates(e, n, webhook.Delivered)
	stop(time.Second)
	if err := backup.Rollback(); err != nil {
		t.Fatal(err)
	}
	b.db.SetMaxIdleConns(0) // a session tells the statistics what it read at its end
	const q = `
select coalesce(sum(idx_tup_read), 0) from pg_stat_user_indexes i
  join pg_inherits h on h.inhrelid = i.indexrelid where h.inhparent = 'deliveries_due'::regclass`
	read := 0
	testwait.Until(t, "statistics", func() bool {
		if err := b.db.Get(&read, q); err != nil {
			t.Fatal(err)
		}
		return read >= n
	})
	if read > 3*n {
		t.Errorf("%d deliveries were read from the index, want each a few times, of %d", read, n)
	}
}

// What is committed in the middle of a drain and was due before what that has sent is sent too: by the next batch where
// the endpoint keeps the order, else before the drain ends.
func TestDrainSendsWhatIsCommittedLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ inFlight, within int }{"at any time": {32, 1500}, "in order": {1, 257}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n, appears = 1500, 700
			b := setup(t)
			var late id.UUID
			rec := mustReceive(t, func(nth int, _ http.ResponseWriter, _ *http.Request) {
				if nth == appears {
					b.mustExec(`
update deliveries set state = 'pending', next_at = now() - interval '1 hour' where workspace_id = $1 and event_id = $2`, b.ws, late)
				}
			})
			e := b.mustEndpointWith(webhook.Endpoint{URL: rec.URL, MaxInFlight: c.inFlight})
			wake := b.mustLeads(n)
			all, _ := b.deliveries(e)
			late = all[0].EventID
			b.mustExec(`update deliveries set next_at = next_at - interval '1 minute' where workspace_id = $1`, b.ws)
			b.mustExec(`
update deliveries set state = 'held', next_at = null where workspace_id = $1 and event_id = $2`, b.ws, late)
			b.worker(options{maxRun: time.Minute})
			b.mustWake(wake...)
			b.awaitStates(e, n, webhook.Delivered)
			var got []string
			for range n {
				got = append(got, rec.mustNext(t).id)
			}
			if at := slices.Index(got, id.Event.Format(late)); at < appears || at > appears+c.within {
				t.Errorf("arrived as number %d, want at most %d after number %d", at, c.within, appears)
			}
		})
	}
}
