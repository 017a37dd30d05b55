package pg_test

import (
	"slices"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// A lead is told as enriched when its facts are others than before, and only then.
func TestEnrichTellsNewFactsOnly(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(2)
	round := func(f pg.Finding) (events, owed int) {
		t.Helper()
		seen := 0
		d.mustExec(`update enrichments set due_at = now()`)
		if _, err := d.db.Enrich(t.Context(), []id.UUID{d.ws}, 10, canned(f, &seen)); err != nil || seen != 2 {
			t.Fatalf("Enrich() looked at %d, %v, want 2", seen, err)
		}
		const q = `select (select count(*) from events where type = 'lead.enriched'), (select count(*) from enrichments where due_at is not null)`
		if err := d.db.QueryRowContext(t.Context(), q).Scan(&events, &owed); err != nil {
			t.Fatal(err)
		}
		return events, owed
	}
	for i, step := range []struct {
		facts        string
		events, owed int
	}{
		{`{"a":1,"b":2}`, 2, 0}, {`{"b": 2, "a": 1}`, 2, 0}, {``, 2, 2}, {`{"a":1,"b":2}`, 2, 0}, {`{"a":2}`, 4, 0},
	} {
		f := pg.Finding{Retry: time.Hour}
		if step.facts != "" {
			f.Facts = []byte(step.facts)
		}
		if events, owed := round(f); events != step.events || owed != step.owed {
			t.Errorf("step %d: %d events and %d owed, want %d and %d", i, events, owed, step.events, step.owed)
		}
		var without int
		if err := d.db.GetContext(t.Context(), &without,
			`select count(*) from enrichments where words is null or facts is null`); err != nil || without > 0 {
			t.Errorf("step %d: %d leads have no words or no facts, %v, want both for all", i, without, err)
		}
	}
}

// A deleted lead is owed nothing and told about to nobody.
func TestEnrichPassesOverDeletedLeads(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(3)
	d.mustExec(`update leads set deleted_at = now() where id in (select id from leads limit 2)`)
	seen := 0
	out, err := d.db.Enrich(t.Context(), []id.UUID{d.ws}, 10, canned(pg.Finding{Facts: []byte(`{}`)}, &seen))
	if err != nil || seen != 1 || out.Taken != 3 || out.Done != 1 {
		t.Fatalf("Enrich() = %+v, %v with %d looked at, want one of three", out, err, seen)
	}
	var owed, told int
	const q = `select (select count(*) from enrichments where due_at is not null), (select count(*) from events where type = 'lead.enriched')`
	if err := d.db.QueryRowContext(t.Context(), q).Scan(&owed, &told); err != nil || owed != 0 || told != 1 {
		t.Errorf("%d are owed and %d told, %v, want none and one", owed, told, err)
	}
}

// Leads from before there were words are found before and after upkeep owes them theirs, and nobody is told of them
// again.
func TestLeadsFromBeforeWords(t *testing.T) {
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	t.Parallel()
	for what, tc := range map[string]struct {
		words string // as they were before
		q     lead.Query
	}{
		"no words":             {`null`, lead.Query{Text: []string{"rarity"}}},
		"words without phones": {`array_to_tsvector(array['before'])`, lead.Query{Phone: "15559999999"}},
		"words without a phone's q": {`array_to_tsvector(array['before'])`, lead.Query{Text: []string{"9999999"},
			TextPhone: "9999999"}},
		"words without domains": {`array_to_tsvector(array['before'])`, lead.Query{Domain: "rare.example.com"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			foundWithOldWords(t, tc.words, tc.q)
		})
	}
}

func foundWithOldWords(t *testing.T, words string, q lead.Query) {
	d := newDrawer(t, pgtest.New(t), 90)
	enrich(d.desk, 90)
	events := d.number(`select count(*) from events`)
	oldest := d.all[len(d.all)-1]
	d.mustExec(
		`update leads set deleted_at = null, email_key = 'a@rare.example.com', name = 'Rarity Only', updated_at = created_at,
		        phone = '+1 555 999-9999' where id = $1`,
		oldest.ID)
	d.mustExec(`update enrichments set due_at = null, words = `+words+` where workspace_id = $1`, d.ws)
	wanted := pg.LeadQuery{Query: q, Limit: 10, Scan: 100}
	want := func(when string) {
		t.Helper()
		if got, _ := d.find(wanted); !slices.Equal(got, []id.UUID{oldest.ID}) {
			t.Errorf("%s: found %v, want %v", when, got, oldest.ID)
		}
	}
	want("before upkeep")
	for {
		n, err := d.db.ReindexSearch(t.Context(), 40)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		want("while they are owed")
		enrich(d.desk, 40)
	}
	want("after upkeep")
	const left = `select count(*) from enrichments where words is null or not words @@ '2'::tsquery or due_at is not null`
	if n := d.number(left); n != 0 {
		t.Errorf("%d leads have old words or are still owed some", n)
	}
	if n := d.number(`select count(*) from events`); n != events {
		t.Errorf("%d events, want %d: the facts are the same", n, events)
	}
}
