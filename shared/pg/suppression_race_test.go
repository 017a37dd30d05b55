package pg_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
)

// mustStall makes the inserts of leads named stall wait, after they have looked suppressions up, until release is called.
func (b *book) mustStall() (release func()) {
	b.Helper()
	b.mustExec(`
create function stall() returns trigger language plpgsql set lock_timeout = 0 as $$ begin
    if new.name = 'stall' then perform pg_advisory_xact_lock_shared(1); end if;
    return new;
end $$`)
	b.mustExec(`create trigger stall before insert on leads for each row execute function stall()`)
	tx, err := b.db.BeginTxx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { tx.Rollback() })
	if _, err := tx.ExecContext(b.Context(), `select pg_advisory_xact_lock(1)`); err != nil {
		b.Fatal(err)
	}
	return func() { tx.Rollback() }
}

// A suppression, and an erasure that suppresses, are answered when no lead of the address can appear any more: an
// insert that looked the address up a moment before is waited for. Of a lead that is erased it finds the email taken.
func TestSuppressionWaitsForInserts(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it needs a trigger")
	for name, tc := range map[string]struct {
		suppress func(b *book, l lead.Lead) error
		leads    int // of the email in the end
	}{
		"suppressed": {func(b *book, _ lead.Lead) error {
			return b.db.Suppress(b.Context(), b.ws, "a@example.com", nil)
		}, 1},
		"erased": {func(b *book, l lead.Lead) error {
			_, err := b.db.EraseLead(b.Context(), b.ws, l.ID, pg.Erasure{Suppress: true})
			return err
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBook(t)
			var holder lead.Lead
			if tc.leads == 0 {
				holder = b.mustLead("a@example.com")
			}
			release := b.mustStall()
			late := lead.Lead{WorkspaceID: b.ws, ID: id.New(), Email: "a@example.com", UniqueKey: "a@example.com", Name: "stall",
				Source: "api", Status: "new", Metadata: []byte(`{}`), CreatedAt: time.Now()}
			inserted := make(chan error, 1)
			go func() {
				_, err := b.db.InsertLeadsWithin(t.Context(), []pg.NewLead{{Lead: late, EventID: id.New()}}, 15*time.Millisecond)
				inserted <- err
			}()
			await(t, b.db, `select count(*) > 0 from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`)
			leads := func() int { return b.count(`select count(*) from leads where email = 'a@example.com'`) }
			answered := make(chan int, 1)
			go func() {
				if err := tc.suppress(b, holder); err != nil {
					t.Errorf("%s = %v", name, err)
				}
				answered <- leads()
			}()
			await(t, b.db, `select count(*) > 0 from suppressions`)
			testwait.Until(t, "it to wait, or to be answered", func() bool {
				return len(answered) > 0 || b.count(`
select count(*) from pg_stat_activity where datname = current_database() and query like '%virtual' || 'transaction%'`) > 0
			})
			if len(answered) > 0 {
				t.Error("it was answered while an insert was under way that does not know of it")
			}
			release()
			if err := <-inserted; err != nil {
				t.Errorf("InsertLeadsWithin = %v", err)
			}
			if n, then := <-answered, leads(); n != tc.leads || then != n {
				t.Errorf("%d leads had the email when it was answered, %d have it then, want %d", n, then, tc.leads)
			}
		})
	}
}

// A suppression does not wait for a backup. For a change that stays open it waits as long as its caller does, and is
// in force all the same.
func TestSuppressionWaitsForNoReader(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l := b.mustLead("a@example.com")
	backup, err := b.db.BeginTxx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Rollback()
	if _, err := backup.ExecContext(t.Context(), `select count(*) from leads`); err != nil {
		t.Fatal(err)
	}
	if err := b.db.Suppress(t.Context(), b.ws, "b@example.com", nil); err != nil {
		t.Errorf("Suppress() beside a backup = %v", err)
	}
	change, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer change.Rollback()
	if _, err := change.ExecContext(t.Context(), `update leads set name = 'x' where id = $1`, l.ID); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	answered := make(chan error, 1)
	go func() { answered <- b.db.Suppress(ctx, b.ws, "c@example.com", nil) }()
	await(t, b.db, `select count(*) = 2 from suppressions`)
	select {
	case err := <-answered:
		t.Errorf("Suppress() beside an open change = %v, want that it waits", err)
	case <-time.After(200 * time.Millisecond):
		leave()
		if err := <-answered; err == nil {
			t.Error("Suppress() beside an open change succeeded when its caller left")
		}
	}
}

// Where a lead gets another email while its erasure waits, both are suppressed.
func TestEraseLeadThatMoves(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l, other := b.mustLead("a@example.com"), b.mustLead("other@example.com")
	change, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer change.Rollback()
	if _, err := change.ExecContext(t.Context(), `update leads set name = 'x' where id = $1`, other.ID); err != nil {
		t.Fatal(err)
	}
	checks := 0
	erased := make(chan error, 1)
	go func() {
		_, err := b.db.EraseLead(t.Context(), b.ws, l.ID, pg.Erasure{Suppress: true, Check: func(*lead.Lead) error {
			checks++
			return nil
		}})
		erased <- err
	}()
	await(t, b.db, `select count(*) > 0 from suppressions`)
	b.mustUpdate(l.ID, move("b@example.com"))
	if err := change.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-erased; err != nil || checks != 1 {
		t.Errorf("EraseLead() = %v after %d checks, want it done after the first", err, checks)
	}
	if n := b.count(`select count(*) from leads`); n != 1 {
		t.Errorf("%d leads are left, want the other", n)
	}
	for _, email := range []string{"a@example.com", "b@example.com"} {
		if was, err := b.db.Unsuppress(t.Context(), b.ws, email, nil); err != nil || !was {
			t.Errorf("%s was not suppressed, %v", email, err)
		}
	}
}
