package pg_test

import (
	"strings"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// mustWaitForLocks waits until so many statements wait for a lock.
func mustWaitForLocks(t *testing.T, db *pg.DB, n int) {
	t.Helper()
	testwait.Until(t, "statements to wait for locks", func() bool {
		var waiting int
		err := db.GetContext(t.Context(), &waiting,
			`select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
		return err == nil && waiting >= n
	})
}

// mustHold begins a transaction that has run a statement, and returns what commits it.
func mustHold(t *testing.T, db *pg.DB, statement string, args ...any) (commit func()) {
	t.Helper()
	tx, err := db.BeginTxx(t.Context(), nil)
	if err == nil {
		_, err = tx.ExecContext(t.Context(), statement, args...)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return func() {
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

// untilAudited locks what an erasure writes last.
const untilAudited = `lock table audit in share mode`

// erase begins to erase a lead, with an audit.
func (d *desk) erase(lead id.UUID) (done chan error) {
	done = make(chan error, 1)
	note := &tenant.AuditEntry{WorkspaceID: d.ws, ID: id.New(), Action: tenant.LeadErased, Target: id.Lead.Format(lead),
		CreatedAt: time.Now()}
	go func() {
		_, err := d.db.EraseLead(d.Context(), d.ws, lead, pg.Erasure{Note: note})
		done <- err
	}()
	return done
}

func (d *desk) mustFinish(done chan error) {
	d.Helper()
	if err := <-done; err != nil {
		d.Fatal(err)
	}
}

// A lease that has read what is due, and waits for its endpoint, does not outlive the erasure of that lead, though
// nobody had leased the endpoint before.
func TestEraseLeadBesideTheFirstLease(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	l := pgtest.Leads(t, d.db, d.ws, 1)[0]
	commit := mustHold(t, d.db, `update endpoints set description = 'x' where workspace_id = $1 and id = $2`, d.ws, d.endpoint.ID)
	token, leased := id.New(), make(chan int, 1)
	go func() { leased <- len(d.take(token, 0, 10)) }()
	mustWaitForLocks(t, d.db, 1)
	erased := d.erase(l.ID)
	mustWaitForLocks(t, d.db, 2)
	commit()
	n := <-leased
	d.mustFinish(erased)
	held, err := d.db.HasLease(t.Context(), d.ws, d.endpoint.ID, token)
	if err != nil || held {
		t.Errorf("%d deliveries were leased; the lease holds after the erasure: %t, %v", n, held, err)
	}
}

// What is sent again while its lead is being erased is sent as what is left of it.
func TestResendBesideAnErasure(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	l := pgtest.Leads(t, d.db, d.ws, 1)[0]
	first := id.New()
	j := d.take(first, 0, 10)[0]
	d.record(first, 0, 0, d.outcome(j, 200, nil))
	if !strings.Contains(string(j.Data), l.Email) {
		t.Fatalf("the event is %s, want one with %s", j.Data, l.Email)
	}
	commit := mustHold(t, d.db, untilAudited)
	erased := d.erase(l.ID)
	mustWaitForLocks(t, d.db, 1)
	resent := make(chan error, 1)
	go func() {
		_, err := d.db.ResendDelivery(t.Context(), d.ws, j.DeliveryID)
		resent <- err
	}()
	mustWaitForLocks(t, d.db, 2)
	commit()
	d.mustFinish(erased)
	d.mustFinish(resent)
	for _, j := range d.take(id.New(), 0, 10) {
		if strings.Contains(string(j.Data), l.Email) {
			t.Errorf("leased after the erasure: %s", j.Data)
		}
	}
}

// An answer that names a lead which is being erased is not kept.
func TestAnswerBesideAnErasure(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	l := pgtest.Leads(t, d.db, d.ws, 1)[0]
	request := requestOf(d.ws, "k", "r")
	answer := answerOf(request, mustBegin(t, d.db, request)[0].AcquiredAt, 200, l.Email)
	answer.Leads = []id.UUID{l.ID}
	commit := mustHold(t, d.db, untilAudited)
	erased := d.erase(l.ID)
	mustWaitForLocks(t, d.db, 1)
	completed := make(chan error, 1)
	go func() {
		_, err := d.db.CompleteIdempotent(t.Context(), []pg.IdempotentAnswer{answer})
		completed <- err
	}()
	mustWaitForLocks(t, d.db, 2)
	commit()
	d.mustFinish(erased)
	d.mustFinish(completed)
	if got := mustBegin(t, d.db, request)[0]; got.Status != 200 || got.Body != nil {
		t.Errorf("kept after the erasure: %d %q, want the status alone", got.Status, got.Body)
	}
}

// An erasure is answered when no drain begins to send any more what it has in memory, also where somebody else has taken
// its lease away a moment before.
func TestEraseLeadAfterTheLeaseWasTaken(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(*desk, id.UUID) error{
		"by another erasure": func(d *desk, other id.UUID) error {
			first := d.erase(other)
			d.Cleanup(func() { <-first })
			testwait.Until(d, "the first erasure to commit", func() bool {
				_, err := d.db.GetLead(d.Context(), d.ws, other)
				return fault.Is(err, fault.NotFound)
			})
			return nil
		},
		"with the URL": func(d *desk, _ id.UUID) error {
			d.mustUpdate(d.endpoint, func(e *webhook.Endpoint) { e.URL = "https://hooks.example.com/other" })
			return nil
		},
		"by who disabled it": func(d *desk, _ id.UUID) error {
			d.mustUpdate(d.endpoint, func(e *webhook.Endpoint) { e.Enabled = false })
			return nil
		},
		"by who deleted it": func(d *desk, _ id.UUID) error { return d.db.DeleteEndpoint(d.Context(), d.ws, d.endpoint.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, pgtest.New(t))
			leads := pgtest.Leads(t, d.db, d.ws, 2)
			if n := len(d.take(id.New(), 0, 10)); n != 2 {
				t.Fatalf("%d deliveries are leased, want 2", n)
			}
			begin := time.Now()
			if err := take(d, leads[0].ID); err != nil {
				t.Fatal(err)
			}
			if _, err := d.db.EraseLead(t.Context(), d.ws, leads[1].ID, pg.Erasure{}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took < webhook.BeginWithin {
				t.Errorf("answered after %s, want %s at least: the drain may begin until then", took, webhook.BeginWithin)
			}
		})
	}
}

// Answers that name a lead which somebody has locked keep no others waiting.
func TestAnswersWaitForNoLead(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	l, other := pgtest.Leads(t, d.db, d.ws, 1)[0], pgtest.Workspace(t, d.db).ID
	requests := []pg.IdempotentRequest{requestOf(d.ws, "k", "r"), requestOf(other, "k", "r")}
	var answers []pg.IdempotentAnswer
	for i, entry := range mustBegin(t, d.db, requests...) {
		answers = append(answers, answerOf(requests[i], entry.AcquiredAt, 200, "x"))
	}
	answers[0].Leads = []id.UUID{l.ID}
	commit := mustHold(t, d.db, `select from leads where workspace_id = $1 and id = $2 for update`, d.ws, l.ID)
	kept, err := d.db.CompleteIdempotentNow(t.Context(), answers)
	if err != nil || kept[0] || !kept[1] {
		t.Errorf("CompleteIdempotentNow = %v, %v, want the second kept", kept, err)
	}
	commit()
	kept, err = d.db.CompleteIdempotentNow(t.Context(), answers)
	if err != nil || !kept[0] || kept[1] {
		t.Errorf("CompleteIdempotentNow = %v, %v, want the first kept", kept, err)
	}
}
