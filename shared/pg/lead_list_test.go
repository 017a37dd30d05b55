package pg_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// drawer is a workspace with leads of all kinds: some deleted, some changed, some owed their words.
type drawer struct {
	*desk
	bots []id.UUID
	all  []lead.Lead // newest first
}

func newDrawer(t *testing.T, db *pg.DB, n int) *drawer {
	t.Helper()
	d := &drawer{desk: newDesk(t, db), bots: []id.UUID{id.New(), id.New()}}
	for _, b := range d.bots {
		if err := db.CreateChatbot(t.Context(), tenant.Chatbot{WorkspaceID: d.ws, ID: b, Name: "Bot",
			CreatedAt: tenantEpoch}); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"Ada Lovelace", "Jürgen Müller", "John Doe", "", "Ana María"}
	begin := time.Now().UTC().Truncate(time.Millisecond).Add(-time.Hour)
	var leads []pg.NewLead
	for i := range n {
		at := begin.Add(time.Duration(i) * time.Second)
		u := id.New()
		ms := at.UnixMilli()
		for k := range 6 {
			u[k] = byte(ms >> (40 - 8*k))
		}
		address := fmt.Sprintf("lead%d@mail%d.example.com", i/2, i%3)
		l := lead.Lead{WorkspaceID: d.ws, ID: u, Name: names[i%5], Email: address, Source: []string{"api", "web"}[i%2],
			Status:   []string{"new", "won", "lost"}[i%3],
			Metadata: fmt.Appendf(nil, `{"n":%d,"campaign":"c%d","company":"Firma %d"}`, i%4, i%7, i%3), CreatedAt: at}
		if i%5 > 0 {
			l.Phone = fmt.Sprintf([]string{"+1 (555) 010-%04d", "0555 010 %04d", "+1 555 (0)010 %04d ext. 77"}[i%3], i/4)
		}
		if i%4 > 0 {
			l.ChatbotID = d.bots[i%2]
		}
		l.UniqueKey = tenant.Settings{Dedupe: tenant.Dedupes()[i%3]}.UniqueKey(address, l.ChatbotID, l.ID)
		leads = append(leads, pg.NewLead{Lead: l, EventID: id.New()})
	}
	if _, err := db.InsertLeads(t.Context(), leads); err != nil {
		t.Fatal(err)
	}
	enrich(d.desk, n/2)
	d.mustExec(
		`update leads set deleted_at = now(), email_key = split_part(email_key, ' ', 1) || ' ' || id where workspace_id = $1 and get_byte(uuid_send(id), 15) % 5 = 0`, d.ws)
	d.mustExec(
		`update leads set status = 'won', updated_at = now() + make_interval(secs => get_byte(uuid_send(id), 14)) where workspace_id = $1 and get_byte(uuid_send(id), 15) % 3 = 0`, d.ws)
	d.mustExec(
		`update enrichments set due_at = now() where workspace_id = $1 and get_byte(uuid_send(lead_id), 15) % 3 = 0`, d.ws)
	d.read()
	return d
}

// read reads everything, as plainly as can be.
func (d *drawer) read() {
	d.Helper()
	d.all = nil
	rows, err := d.db.QueryContext(d.Context(), `select id, coalesce(chatbot_id, '00000000-0000-0000-0000-000000000000'), coalesce(name, ''), coalesce(phone, ''), email, email_key, source, status, metadata, created_at, updated_at, deleted_at
  from leads where workspace_id = $1 order by id desc`, d.ws)
	if err != nil {
		d.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		l := lead.Lead{WorkspaceID: d.ws}
		if err := rows.Scan(&l.ID, &l.ChatbotID, &l.Name, &l.Phone, &l.Email, &l.UniqueKey, &l.Source, &l.Status, &l.Metadata,
			&l.CreatedAt, &l.UpdatedAt, &l.DeletedAt); err != nil {
			d.Fatal(err)
		}
		d.all = append(d.all, l)
	}
	if err := rows.Err(); err != nil {
		d.Fatal(err)
	}
}

func within(at, from, until time.Time) bool {
	return !at.Before(from) && (until.IsZero() || at.Before(until))
}

// want picks from all what a query picks.
func (d *drawer) want(q pg.LeadQuery) (ids []id.UUID) {
	var fit []lead.Lead
	for _, l := range d.all {
		if q.Fits(&l) && q.Deleted == (l.DeletedAt != nil) && within(l.CreatedAt, q.CreatedFrom, q.CreatedUntil) &&
			within(l.UpdatedAt, q.UpdatedFrom, q.UpdatedUntil) {
			fit = append(fit, l)
		}
	}
	slices.SortStableFunc(fit, func(x, y lead.Lead) int {
		if q.Sort.Updated {
			if c := y.UpdatedAt.Compare(x.UpdatedAt); c != 0 {
				return c
			}
		}
		return slices.Compare(y.ID[:], x.ID[:])
	})
	if q.Sort.Ascending {
		slices.Reverse(fit)
	}
	for _, l := range fit {
		ids = append(ids, l.ID)
	}
	return ids
}

// find goes through all pages.
func (d *drawer) find(q pg.LeadQuery) (ids []id.UUID, pages int) {
	d.Helper()
	for pages = 1; pages < 10_000; pages++ {
		some, next, err := d.db.FindLeads(d.Context(), d.ws, q)
		if err != nil {
			d.Fatal(err)
		}
		if len(some) > q.Limit {
			d.Fatalf("a page of %d, want %d at most", len(some), q.Limit)
		}
		for _, l := range some {
			ids = append(ids, l.ID)
		}
		if next == (pg.LeadKey{}) {
			return ids, pages
		}
		q.After = next
	}
	d.Fatal("a list without a last page")
	return nil, 0
}

// queries are all kinds of them.
func (d *drawer) queries() map[string]pg.LeadQuery {
	middle := d.all[len(d.all)/2]
	text := func(s string) pg.LeadQuery { return pg.LeadQuery{Query: lead.Query{Text: lead.SearchWords(s)}} }
	all := map[string]pg.LeadQuery{
		"all": {}, "status": {Query: lead.Query{Statuses: []string{"won"}}}, "source": {Query: lead.Query{Source: "web"}},
		"unknown source": {Query: lead.Query{Source: "x"}},
		"chatbot":        {Query: lead.Query{ChatbotID: d.bots[1]}},
		"email":          {Query: lead.Query{AddressKey: middle.AddressKey()}},
		"unknown email":  {Query: lead.Query{AddressKey: "a@example.com"}},
		"name":           text("jür"), "two words": text("firma ada"), "nothing": text("zzz"), "company": text("2 firma"),
		"address":  text(middle.Email),
		"metadata": {Query: lead.Query{Metadata: []lead.Pair{{Key: "campaign", Value: "c3"}}}},
		"two of metadata": {Query: lead.Query{Metadata: []lead.Pair{{Key: "campaign", Value: "c3"},
			{Key: "n", Value: "1"}}}},
		"created":           {CreatedFrom: middle.CreatedAt, CreatedUntil: middle.CreatedAt.Add(10 * time.Second)},
		"created until":     {CreatedUntil: middle.CreatedAt.Add(time.Microsecond)},
		"updated":           {UpdatedFrom: d.all[0].CreatedAt.Add(time.Minute)},
		"updated until":     {UpdatedUntil: middle.CreatedAt},
		"statuses":          {Query: lead.Query{Statuses: []string{"won", "lost"}}},
		"domain":            {Query: lead.Query{Domain: "mail1.example.com"}},
		"email and domain":  {Query: lead.Query{AddressKey: middle.AddressKey(), Domain: "mail1.example.com"}},
		"phone":             {Query: lead.Query{Phone: "15550100007"}},
		"end of phones":     {Query: lead.Query{Phone: "0003"}},
		"text or phone":     {Query: lead.Query{Text: []string{"5550100005"}, TextPhone: "5550100005"}},
		"status and source": {Query: lead.Query{Statuses: []string{"won"}, Source: "api"}, CreatedFrom: middle.CreatedAt},
	}
	for _, name := range slices.Collect(maps.Keys(all)) {
		q := all[name]
		q.Deleted = true
		all["deleted, "+name] = q
	}
	return all
}

// Every query finds the same, in the same order, as a look at every row would, however small the pages and the scans
// are.
func TestFindLeads(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	db := pgtest.New(t)
	newDrawer(t, db, 30) // another workspace's, with the same emails
	d := newDrawer(t, db, 60)
	for name, q := range d.queries() {
		for _, sort := range []pg.LeadSort{{}, {Ascending: true}, {Updated: true}, {Updated: true, Ascending: true}} {
			t.Run(fmt.Sprintf("%s %+v", name, sort), func(t *testing.T) {
				q.Sort = sort
				want := d.want(q)
				for _, size := range [][2]int{{1000, 0}, {3, 0}, {5, 7}, {2, 1}, {200, 40}} {
					if q.Limit, q.Scan = size[0], size[1]; q.Scan == 1 && sort.Ascending {
						continue
					}
					q.DuplicatesAllowed = true
					got, _ := d.find(q)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s in order %+v, pages of %d, scans of %d (-want +got):\n%s", name, sort, size[0], size[1], diff)
					}
				}
			})
		}
	}
}

// What has words or keys is found at once although it is rare, far down and among many that are owed.
func TestRareLeadsAreFoundAtOnce(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	d := newDrawer(t, pgtest.New(t), 90)
	enrich(d.desk, 90)
	oldest := d.all[len(d.all)-2]
	d.mustExec(
		`update leads set deleted_at = null, email_key = email, name = 'Rarity Only', updated_at = created_at where id = $1`,
		oldest.ID)
	d.mustExec(`update enrichments set due_at = now() where lead_id = $1`, oldest.ID)
	byName := pg.LeadQuery{Query: lead.Query{Text: []string{"rarity"}}, Limit: 10, Scan: 20}
	for what := range 2 {
		if got, pages := d.find(byName); pages != 1 || !slices.Equal(got, []id.UUID{oldest.ID}) {
			t.Errorf("%d: by name = %v on %d pages, want the lead on the first", what, got, pages)
		}
		enrich(d.desk, 90) // first it is owed its words, then it has them
	}
	d.mustExec(`update enrichments set due_at = now() where workspace_id = $1`, d.ws)
	byEmail := pg.LeadQuery{Query: lead.Query{AddressKey: oldest.Email}, Limit: 10, Scan: 20}
	got, pages := d.find(byEmail)
	if pages != 1 || !slices.Contains(got, oldest.ID) {
		t.Errorf("by email while all are owed = %v on %d pages, want the lead on the first", got, pages)
	}
	if got, pages := d.find(byName); pages < 3 || !slices.Equal(got, []id.UUID{oldest.ID}) {
		t.Errorf("by name while all are owed = %v on %d pages, want the lead after several", got, pages)
	}
}

// What the first page of a walk finds out is not asked for again: no index can tell.
func TestAWalkAsksOnce(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	d := newDrawer(t, pgtest.New(t), 90)
	enrich(d.desk, 90)
	oldest := d.all[len(d.all)-1]
	d.mustExec(
		`update leads set deleted_at = null, email_key = email, name = 'Rarity Only', updated_at = created_at where id = $1`,
		oldest.ID)
	for _, walk := range []*pg.ListState{nil, {}} {
		d.mustExec(`update enrichments set due_at = now() where workspace_id = $1`, d.ws) // too many to look at each
		q := pg.LeadQuery{Query: lead.Query{Text: []string{"rarity"}}, Limit: 10, Scan: 20, State: walk}
		_, next, err := d.db.FindLeads(t.Context(), d.ws, q)
		if err != nil || next == (pg.LeadKey{}) {
			t.Fatalf("the first page goes on at %v, %v, want another page", next, err)
		}
		enrich(d.desk, 90)
		q.After = next
		if got, pages := d.find(q); (pages == 1) != (walk == nil) || !slices.Equal(got, []id.UUID{oldest.ID}) {
			t.Errorf("walk %v: found %v on %d more pages, want the lead, by an index only without a walk", walk, got, pages)
		}
	}
}

// Large leads make short pages, not large ones.
func TestPagesOfLargeLeadsEnd(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustLeads(1)
	d.mustExec(`update leads set metadata = json_build_object('a', repeat('x', 32000)) where workspace_id = $1`, d.ws)
	d.mustExec(`
insert into leads (workspace_id, id, email, email_key, source, status, metadata, created_at, updated_at)
select workspace_id, overlay(id::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, n::text, n::text, source, status, metadata, created_at, updated_at from leads, generate_series(1, 1500) n where workspace_id = $1`, d.ws)
	q := pg.LeadQuery{Limit: 2000}
	first, next, err := d.db.FindLeads(t.Context(), d.ws, q)
	if most := pg.PageBytes/32_000 + 1; err != nil || len(first) < most/2 || len(first) > most || next == (pg.LeadKey{}) {
		t.Errorf("a page has %d leads of 32 kB and goes on at %v, %v, want about %d bytes and another page", len(first), next,
			err, pg.PageBytes)
	}
	got, _ := (&drawer{desk: d}).find(q)
	if len(got) != 1501 {
		t.Errorf("all pages have %d leads, want 1501", len(got))
	}
}

func TestNewestLead(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	if got, err := d.db.NewestLead(t.Context(), d.ws); err != nil || got != (id.UUID{}) {
		t.Errorf("NewestLead() = %v, %v, want none", got, err)
	}
	d.mustLeads(3)
	last, err := d.db.NewestLead(t.Context(), d.ws)
	if err != nil {
		t.Fatal(err)
	}
	d.mustLeads(2)
	got, _ := (&drawer{desk: d}).find(pg.LeadQuery{Last: last, Limit: 10, Sort: pg.LeadSort{Ascending: true}})
	if len(got) != 3 || got[2] != last {
		t.Errorf("leads up to the newest = %v, want 3 and %v last", got, last)
	}
}

// canned answers enrichment with the same for every lead.
func canned(f pg.Finding, seen *int) pg.Find {
	return func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
		*seen += len(leads)
		return slices.Repeat([]pg.Finding{f}, len(leads))
	}
}
