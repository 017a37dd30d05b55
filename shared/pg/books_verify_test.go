package pg_test

import (
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// A submission that came before midnight, whose lead was made after it, is there on the day on which books count it.
func TestBooksAreVerifiedAtMidnight(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.mustExec(`select ensure_partitions(now() - interval '8 days', now())`)
	midnight := tenant.Day(time.Now())
	var before id.UUID
	if err := b.db.GetContext(t.Context(), &before, `select uuid_floor($1)`, midnight.Add(-time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	l := counted(b.ws, tenant.WayForm, id.New(), "ann@example.com")
	l.CreatedAt = midnight.Add(time.Millisecond)
	l.Submission = &lead.Submission{WorkspaceID: b.ws, ID: before, FormID: l.FormID, Verdict: lead.Clean,
		Fields: []byte("{}"), CreatedAt: midnight.Add(-time.Millisecond)}
	if _, err := b.db.InsertLeads(t.Context(), []pg.NewLead{l}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from time.Time
		want []pg.VerifiedBook
	}{
		"yesterday": {midnight.AddDate(0, 0, -1), nil},
		"today":     {midnight, []pg.VerifiedBook{{Day: midnight, FormID: l.FormID, Counted: 1, Kept: 1}}},
	} {
		got, err := b.db.VerifyBooks(t.Context(), b.ws, pg.VerifyQuery{From: c.from, Until: c.from.AddDate(0, 0, 1)})
		if err != nil || len(got) != len(c.want) || len(got) > 0 && got[0] != c.want[0] {
			t.Errorf("%s = %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

// No more submissions are looked at than may be, also where none is of the form that is asked for.
func TestVerifyBooksIsBounded(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	verify := func(form id.UUID) ([]pg.VerifiedBook, error) {
		day := tenant.Day(time.Now())
		return b.db.VerifyBooks(t.Context(), b.ws, pg.VerifyQuery{From: day, Until: day.AddDate(0, 0, 1), FormID: form, Scan: 5})
	}
	for range 5 {
		b.mustSubmit(id.UUID{}, "ann@example.com")
	}
	if got, err := verify(id.UUID{}); err != nil || len(got) != 5 || got[0].Kept != 1 || got[0].Counted != 1 {
		t.Errorf("VerifyBooks of as many as may be = %+v, %v; want one of each form", got, err)
	}
	if got, err := verify(id.New()); err != nil || len(got) != 0 {
		t.Errorf("VerifyBooks of another form = %+v, %v; want nothing", got, err)
	}
	b.mustSubmit(id.UUID{}, "ann@example.com")
	for _, form := range []id.UUID{{}, id.New()} {
		if _, err := verify(form); !fault.Is(err, fault.Validation) {
			t.Errorf("VerifyBooks of one more = %v, want that it is too much", err)
		}
	}
}
