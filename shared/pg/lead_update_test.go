package pg_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// book is a workspace with leads, and an endpoint that is told of every change.
type book struct {
	*testing.T
	db *pg.DB
	ws id.UUID
}

func newBook(t *testing.T) *book {
	t.Helper()
	b := &book{t, pgtest.New(t), id.UUID{}}
	b.ws = mustCreateWorkspace(t, b.db, "book").ID
	e := webhook.Endpoint{WorkspaceID: b.ws, ID: id.New(), URL: "https://hooks.example.com/",
		EventTypes: []string{"lead.*"}, Secret: webhook.NewSecret(), Enabled: true, CreatedAt: time.Now()}
	if err := b.db.CreateEndpoint(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *book) mustLead(email string) lead.Lead {
	b.Helper()
	at := time.Now().UTC().Truncate(time.Millisecond)
	l := lead.Lead{WorkspaceID: b.ws, ID: id.New(), Email: email, UniqueKey: email, Source: "api", Status: "new",
		Metadata: []byte(`{"a":1}`), CreatedAt: at, UpdatedAt: at}
	got, err := b.db.InsertLeads(b.Context(), []pg.NewLead{{Lead: l, EventID: id.New()}})
	if err != nil || got.Leads[0].Taken {
		b.Fatalf("InsertLeads(%s) = %+v, %v, want it inserted", email, got, err)
	}
	return l
}

func (b *book) mustUpdate(leadID id.UUID, change func(*lead.Lead)) pg.Updated {
	b.Helper()
	u, err := b.db.UpdateLead(b.Context(), b.ws, leadID, func(l *lead.Lead) error { change(l); return nil })
	if err != nil {
		b.Fatalf("UpdateLead = %v, want it changed", err)
	}
	return u
}

func move(to string) func(*lead.Lead) {
	return func(l *lead.Lead) { l.Email, l.UniqueKey = to, to }
}

func (b *book) mustExec(query string, args ...any) {
	b.Helper()
	pgtest.Exec(b, b.db, query, args...)
}

func (b *book) count(query string, args ...any) (n int) {
	b.Helper()
	if err := b.db.GetContext(b.Context(), &n, query, args...); err != nil {
		b.Fatal(err)
	}
	return n
}

// events are the types of a lead's events, oldest first, and the data of the last.
func (b *book) events(leadID id.UUID) (types string, last map[string]any) {
	b.Helper()
	found, _, err := b.db.FindEvents(b.Context(), b.ws, pg.EventQuery{LeadID: leadID, Limit: 100})
	if err != nil || len(found) == 0 {
		b.Fatalf("FindEvents = %v, %v, want some", found, err)
	}
	for _, e := range found {
		types = strings.TrimPrefix(e.Type, "lead.") + " " + types
	}
	e, err := b.db.GetEvent(b.Context(), b.ws, found[0].ID)
	if err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(e.Data, &last); err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(types), last
}

func TestUpdateLeadIsOneCommit(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l := b.mustLead("a@example.com")
	b.mustExec(`insert into enrichments (workspace_id, lead_id, attempts, facts) values ($1, $2, 7, '{"x":1}')`, b.ws, l.ID)
	u := b.mustUpdate(l.ID, func(l *lead.Lead) { l.Name, l.Status = "Ann", "lost"; move("b@example.com")(l) })
	if !u.Changed || u.ReleasedKey != "a@example.com" || len(u.Wake) != 1 || !u.Lead.UpdatedAt.After(l.UpdatedAt) {
		t.Errorf("UpdateLead = %+v, want a later lead, the old email freed and the endpoint woken", u)
	}
	got, err := b.db.GetLead(t.Context(), b.ws, l.ID)
	if err != nil || string(got.AppendJSON(nil, true)) != string(u.Lead.AppendJSON(nil, true)) || got.Name != "Ann" ||
		got.Enrichment == nil {
		t.Errorf("GetLead = %s, %v, want %s", got.AppendJSON(nil, true), err, u.Lead.AppendJSON(nil, true))
	}
	types, data := b.events(l.ID)
	previous, err := json.Marshal(data["previous"])
	if want := `{"email":"a@example.com","name":null,"status":"new"}`; types != "created updated" || err != nil ||
		string(previous) != want || data["enrichment"] == nil || data["name"] != "Ann" {
		t.Errorf("events = %s, the last %v, want created and updated with previous %s", types, data, want)
	}
	if n := b.count(`select count(*) from enrichments where lead_id = $1 and due_at <= now() and attempts = 0`,
		l.ID); n != 1 {
		t.Error("the changed lead is not owed enrichment again")
	}
	b.mustLead("a@example.com")
}

func TestUpdateLeadWithoutChangeWritesNothing(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l := b.mustLead("a@example.com")
	u := b.mustUpdate(l.ID, func(l *lead.Lead) { l.Status = "new" })
	if types, _ := b.events(l.ID); u.Changed || !u.Lead.UpdatedAt.Equal(l.UpdatedAt) || types != "created" {
		t.Errorf("UpdateLead with what is there = %+v and events %s, want nothing", u, types)
	}
	refused := errors.New("no")
	if _, err := b.db.UpdateLead(t.Context(), b.ws, l.ID,
		func(l *lead.Lead) error { l.Name = "x"; return refused }); !errors.Is(err, refused) {
		t.Errorf("UpdateLead whose change fails = %v, want its error", err)
	}
	for name, ws := range map[string]id.UUID{"another workspace": id.New()} {
		if _, err := b.db.UpdateLead(t.Context(), ws, l.ID, func(*lead.Lead) error { return nil }); !fault.Is(err,
			fault.NotFound) {
			t.Errorf("UpdateLead of %s = %v, want NOT_FOUND", name, err)
		}
	}
}

// Each change is a version of its own, though many are made in a millisecond, and none is lost.
func TestUpdateLeadManyAtOnce(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l := b.mustLead("a@example.com")
	const writers, each = 8, 10
	var wg sync.WaitGroup
	var mu sync.Mutex
	versions := map[string]bool{}
	for range writers {
		wg.Go(func() {
			for range each {
				u, err := b.db.UpdateLead(t.Context(), b.ws, l.ID, func(l *lead.Lead) error { l.Name += "x"; return nil })
				if err != nil {
					t.Errorf("UpdateLead = %v", err)
					return
				}
				mu.Lock()
				versions[u.Lead.Version()] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	got, err := b.db.GetLead(t.Context(), b.ws, l.ID)
	if err != nil || len(got.Name) != writers*each || len(versions) != writers*each {
		t.Errorf("after %d changes: name of %d, %d versions, %v", writers*each, len(got.Name), len(versions), err)
	}
}

// Two leads that take each other's email, and new leads that want both, wait for each other in circles: all come to an
// end, and soon.
func TestEmailsChangeHandsWithoutDeadlock(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	a, z := b.mustLead("a@example.com"), b.mustLead("z@example.com")
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				_, err = b.db.UpdateLead(t.Context(), b.ws, a.ID, func(l *lead.Lead) error {
					move([]string{"a@example.com",
						"z@example.com"}[i/3%2])(l)
					return nil
				})
			case 1:
				_, err = b.db.UpdateLead(t.Context(), b.ws, z.ID, func(l *lead.Lead) error {
					move([]string{"z@example.com",
						"a@example.com"}[i/3%2])(l)
					return nil
				})
			default:
				leads := make([]pg.NewLead, 3)
				for n, email := range []string{"a@example.com", "m@example.com", "z@example.com"} {
					leads[n].Lead = lead.Lead{WorkspaceID: b.ws, ID: id.New(), Email: email, UniqueKey: email, Source: "api",
						Status: "new", Metadata: []byte(`{}`), CreatedAt: start}
				}
				_, err = b.db.InsertLeads(t.Context(), leads)
			}
			var taken *pg.Taken
			if err != nil && !errors.As(err, &taken) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := b.count(`select count(*) from leads where workspace_id = $1`, b.ws); n > 5 || n < 3 {
		t.Errorf("%d leads, want the two and at most one for each email", n)
	}
}

func TestUpdateLeadToATakenEmail(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	a, z := b.mustLead("a@example.com"), b.mustLead("z@example.com")
	_, err := b.db.UpdateLead(t.Context(), b.ws, a.ID, func(l *lead.Lead) error { move("z@example.com")(l); return nil })
	var taken *pg.Taken
	if !errors.As(err, &taken) || taken.Holder != z.ID || taken.Lead.Email != "z@example.com" {
		t.Errorf("UpdateLead = %v, want Taken by %v", err, z.ID)
	}
	if got, err := b.db.GetLead(t.Context(), b.ws, a.ID); err != nil || got.Email != "a@example.com" {
		t.Errorf("after it the lead = %+v, %v, want it as it was", got, err)
	}
}

func TestDeleteAndRestoreLead(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l := b.mustLead("a@example.com")
	pass := func(*lead.Lead) error { return nil }
	u, err := b.db.DeleteLead(t.Context(), b.ws, l.ID, pass)
	if err != nil || u.ReleasedKey != "a@example.com" || u.Lead.DeletedAt == nil || len(u.Wake) != 1 {
		t.Fatalf("DeleteLead = %+v, %v, want its email freed", u, err)
	}
	types, data := b.events(l.ID)
	if types != "created deleted" || data["erased"] != false || data["deletedAt"] == nil || data["email"] != nil {
		t.Errorf("events = %s, the last %v, want deleted, without what it was", types, data)
	}
	if n := b.count(`select count(*) from enrichments where lead_id = $1 and due_at is not null`, l.ID); n != 0 {
		t.Error("a deleted lead is owed enrichment")
	}
	for name, err := range map[string]error{
		"GetLead":    second(b.db.GetLead(t.Context(), b.ws, l.ID)),
		"UpdateLead": second(b.db.UpdateLead(t.Context(), b.ws, l.ID, pass)),
		"DeleteLead": second(b.db.DeleteLead(t.Context(), b.ws, l.ID, pass)),
	} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("%s of a deleted lead = %v, want NOT_FOUND", name, err)
		}
	}
	other := b.mustLead("a@example.com")
	var taken *pg.Taken
	if _, err := b.db.RestoreLead(t.Context(), b.ws, l.ID, tenant.Settings{},
		func(*lead.Lead) error { return nil }); !errors.As(err, &taken) || taken.Holder != other.ID {
		t.Errorf("RestoreLead = %v, want Taken by %v", err, other.ID)
	}
	if _, err := b.db.DeleteLead(t.Context(), b.ws, other.ID, pass); err != nil {
		t.Fatal(err)
	}
	u, err = b.db.RestoreLead(t.Context(), b.ws, l.ID, tenant.Settings{}, func(*lead.Lead) error { return nil })
	if err != nil || u.Lead.DeletedAt != nil || u.Lead.UniqueKey != "a@example.com" ||
		!u.Lead.UpdatedAt.After(l.UpdatedAt) {
		t.Fatalf("RestoreLead = %+v, %v, want it back", u, err)
	}
	if types, data := b.events(l.ID); types != "created deleted restored" || data["email"] != "a@example.com" {
		t.Errorf("events = %s, the last %v, want restored with the lead", types, data)
	}
	if n := b.count(`select count(*) from enrichments where lead_id = $1 and due_at <= now()`, l.ID); n != 1 {
		t.Error("a restored lead is not owed enrichment")
	}
	b.mustExec(`update leads set deleted_at = now() - interval '31 days' where id = $1`, other.ID)
	for name, leadID := range map[string]id.UUID{"a live lead": l.ID, "one deleted long ago": other.ID,
		"an unknown one": id.New()} {
		if _, err := b.db.RestoreLead(t.Context(), b.ws, leadID, tenant.Settings{},
			func(*lead.Lead) error { return nil }); !fault.Is(err, fault.NotFound) {
			t.Errorf("RestoreLead of %s = %v, want NOT_FOUND", name, err)
		}
	}
}

// A restore that waits for the moment in which the lead's erasure becomes a job does not bring the lead back.
func TestRestoreWaitsForErasure(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l := b.mustLead("a@example.com")
	if _, err := b.db.DeleteLead(t.Context(), b.ws, l.ID, func(*lead.Lead) error { return nil }); err != nil {
		t.Fatal(err)
	}
	tx, err := b.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), `select 1 from leads where workspace_id = $1 and id = $2 for update`, b.ws, l.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `
insert into erasures (workspace_id, id, lead_id, suppressed, events, deliveries, attempts, created_at)
values ($1, $2, $2, false, 500, 0, 0, now())`, b.ws, l.ID); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := b.db.RestoreLead(t.Context(), b.ws, l.ID, tenant.Settings{}, func(*lead.Lead) error { return nil })
		done <- err
	}()
	await(t, b.db, `
select count(*) > 0 from pg_stat_activity
 where datname = current_database() and wait_event_type = 'Lock' and query like '%from leads l%'`)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !fault.Is(err, fault.NotFound) {
		t.Errorf("RestoreLead() during the erasure = %v, want NOT_FOUND", err)
	}
}

func second[T any](_ T, err error) error { return err }

// Where an email is unique with something else, a change keeps that.
func TestRestoreLeadUniqueWithItsChatbot(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	l := b.mustLead("a@example.com")
	if _, err := b.db.DeleteLead(t.Context(), b.ws, l.ID, func(*lead.Lead) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s := tenant.Settings{Dedupe: tenant.DedupeChatbot}
	u, err := b.db.RestoreLead(t.Context(), b.ws, l.ID, s, func(*lead.Lead) error { return nil })
	if want := s.UniqueKey("a@example.com", id.UUID{}, l.ID); err != nil || u.Lead.UniqueKey != want {
		t.Errorf("RestoreLead = %q, %v, want the key %q", u.Lead.UniqueKey, err, want)
	}
	var p lead.Patch
	if p, err = lead.ParsePatch([]byte(`{"email":"B@example.com"}`), lead.Rules{}); err != nil {
		t.Fatal(err)
	}
	v, err := b.db.UpdateLead(t.Context(), b.ws, l.ID, p.Apply)
	if want := s.UniqueKey("b@example.com", id.UUID{}, l.ID); err != nil || v.Lead.UniqueKey != want ||
		v.Lead.Email != "B@example.com" || v.ReleasedKey != u.Lead.UniqueKey {
		t.Errorf("UpdateLead = %+v, %v, want the key %q", v, err, want)
	}
}
