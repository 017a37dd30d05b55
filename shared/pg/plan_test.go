package pg_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

var update = flag.Bool("update", false, "write the plans of TestPlans to testdata/plans.golden")

const goldenPlans = "testdata/plans.golden"

// growing are the tables that grow with every lead. No hot statement may read one from end to end. enrichment_queue is
// none of them: it shrinks again, and while it has a few pages Postgres reads them all to find some rows by their place.
var growing = []string{"leads", "enrichments", "events", "deliveries", "attempts", "submissions"}

// TestPlans runs the hot statements through the methods that production calls, on filled tables, and compares which
// index serves each growing table with testdata/plans.golden. A plan that changes for a reason is written there by
//
//	go test ./shared/pg -run TestPlans -update
func TestPlans(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it is about plans of Postgres")
	f := fillTables(t)
	cases := f.statements()
	got := map[string]string{}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			x := newExplainer(t, f.url)
			run(t, x)
			got[name] = x.shape(t, f.names)
			if name == "record outcomes" { // it has the whole key of either index: a toss-up
				got[name] = strings.ReplaceAll(got[name], "deliveries by deliveries_endpoint\n", "deliveries by deliveries_pkey\n")
			}
		})
	}
	if len(got) < len(cases) { // some were not asked for, or skipped
		return
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(got)) {
		fmt.Fprintf(&text, "%s\n%s", name, got[name])
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(goldenPlans, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenPlans)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text.String(), "\n")); diff != "" {
		t.Errorf("plans differ from %s (-want +got); see the comment of TestPlans:\n%s", goldenPlans, diff)
	}
}

// statements are the hot ones, each run by the method that production calls.
func (f *filled) statements() map[string]func(*testing.T, *explainer) {
	return map[string]func(*testing.T, *explainer){
		"find holders":                         f.findHolders,
		"insert leads with fan-out":            f.insertLeads,
		"lease due deliveries":                 f.leaseDue,
		"record outcomes":                      f.recordOutcomes,
		"sweep endpoints with due deliveries":  f.waitingEndpoints,
		"list leads, newest first":             f.listLeads,
		"list leads since":                     f.leadsSince,
		"search leads by a word":               f.searchLeads,
		"search leads by a phone":              f.searchPhone,
		"list deliveries":                      f.listDeliveries,
		"list pending deliveries":              f.listPending,
		"list exhausted and held deliveries":   f.listStuck,
		"list the deliveries of a lead":        f.listOfLead,
		"list submissions":                     f.listSubmissions,
		"list held submissions":                f.listHeldSubmissions,
		"list the submissions of a lead":       f.listSubmissionsOfLead,
		"touches of a lead":                    f.touchesOfLead,
		"lease enrichments, store their facts": f.enrich,
		"replay all deliveries":                f.replayAll,
		"replay failures of an endpoint":       f.replayFailures,
		"replay the deliveries of a lead":      f.replayLead,
	}
}

// filled is a database of several workspaces with many rows, and what the statements are asked about.
type filled struct {
	url      string
	ws       id.UUID // one of the workspaces, neither the first nor the last
	endpoint webhook.Endpoint
	lead     id.UUID
	names    map[string]string // of partitions and their indexes: what they are part of; "" of an empty table or partition
}

// filledLeads is how many leads each of the workspaces has. Each lead has an event, a delivery and an attempt.
const (
	filledWorkspaces = 5
	filledLeads      = 6000
)

func fillTables(t *testing.T) *filled {
	t.Helper()
	f := &filled{url: pgtest.OwnerURL(t)}
	db, err := pg.Open(f.url, pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for n := range filledWorkspaces {
		w := pgtest.Workspace(t, db)
		e := pgtest.Endpoint(t, db, w.ID)
		fill(t, db, w.ID, e.ID, filledLeads)
		if n == filledWorkspaces/2 {
			f.ws, f.endpoint = w.ID, e
		}
	}
	// A release from now there is no such index, and until then it is as good as another: a toss-up.
	pgtest.Exec(t, db, `drop index enrichments_unread`)
	// Vacuum, because what waits to be put into a GIN index makes that look dear.
	for _, table := range growing {
		pgtest.Exec(t, db, `vacuum analyze `+table)
	}
	f.names = names(t, db)
	const one = `select id from leads where workspace_id = $1 order by id desc offset 100 limit 1`
	if err := db.GetContext(t.Context(), &f.lead, one, f.ws); err != nil {
		t.Fatal(err)
	}
	return f
}

// fill makes leads of a workspace, each with an event, a delivery to the endpoint, an attempt and a submission; a zero
// workspace: each of a workspace of its own. The ids are of the last hours, as id.New makes them, and most deliveries have
// arrived, as in an installation. All are in one week: of a partition that has a few pages Postgres may read all.
func fill(t *testing.T, db *pg.DB, workspace, endpoint id.UUID, leads int) {
	t.Helper()
	const q = `
with w as materialized (
    select coalesce(cast($1 as uuid), gen_random_uuid()) as ws, cast($2 as uuid) as ep, n,
           case when now() - week < interval '2 hours' then week else now() end - make_interval(secs => 7200 - n) as at
      from generate_series(1, $3::integer) n, date_trunc('week', now(), 'UTC') week
), l as (
    select cast(left(cast(uuid_floor(at) as text), 14) || '7' ||
                substr(md5(cast(ws as text) || n), 1, 3) || '-8' || substr(md5(n || cast(ws as text)), 1, 3) || '-' ||
                substr(md5(n || 'x'), 1, 12) as uuid) as id, ws, ep, n, at
      from w
), ld as (
    insert into leads (workspace_id, id, email, email_key, name, source, status, metadata, created_at, updated_at)
    select ws, id, n || '@example.com', n || '@example.com', 'Lead ' || n,
           'api', 'new', '{"n":"some text"}', at, at from l
), en as (
    insert into enrichments (workspace_id, lead_id, due_at, facts, enriched_at, words)
    select ws, id, case when n % 50 = 0 then at end, cast(to_json(repeat('fact ', 60)) as json), at,
           to_tsvector('simple', '2 rare' || n / 20 || ' ' || left(replace(cast(ws as text), '-', ''), 32)) from l
), eq as (
    insert into enrichment_queue (workspace_id, due_at, id, leads) select ws, at, id, array[id] from l where n % 50 = 1
), ev as (
    insert into events (workspace_id, id, type, lead_id, data, created_at)
    select ws, id, 'lead.created', id, '{}', at from l
), dl as (
    insert into deliveries (workspace_id, id, endpoint_id, event_id, state, attempts, next_at, created_at, updated_at)
    select ws, delivery_id(id, ep), ep, id, state, 1, case when state = 'pending' then at end, at, at
      from l cross join lateral (
        select case when n % 20 = 0 then 'pending' when n % 33 = 0 then 'exhausted' else 'delivered' end as state) s
), sb as (
    insert into submissions (workspace_id, id, form_id, lead_id, outcome, verdict, points, reasons, email, email_key, fields, created_at)
    select ws, id, ep, case when n % 40 > 0 then id end, case when n % 40 > 0 then 'new' else 'held' end,
           case when n % 40 > 0 then 'clean' else 'held' end, 0, '[]', n || '@example.com', n || '@example.com', '{"a":"b"}', at from l
)
insert into attempts (workspace_id, delivery_id, id, number, status, latency_ms, created_at)
select ws, delivery_id(id, ep), id, 1, 200, 10, at from l`
	of := uuid.NullUUID{UUID: workspace, Valid: workspace != id.UUID{}}
	if _, err := db.ExecContext(t.Context(), q, of, endpoint, leads); err != nil {
		t.Fatal(err)
	}
}

// names returns, for each table and index, what it is a partition of, or else itself; "" for a table without rows.
func names(t *testing.T, db *pg.DB) map[string]string {
	t.Helper()
	const q = `
select c.relname as part,
       case when c.relkind = 'r' and c.reltuples <= 0 then '' else coalesce(p.relname, c.relname) end as whole
  from pg_class c
  left join pg_inherits h on h.inhrelid = c.oid
  left join pg_class p on p.oid = h.inhparent
 where c.relkind in ('r', 'i')`
	var all []struct{ Part, Whole string }
	if err := db.SelectContext(t.Context(), &all, q); err != nil {
		t.Fatal(err)
	}
	m := make(map[string]string, len(all))
	for _, n := range all {
		m[n.Part] = n.Whole
	}
	return m
}

func (f *filled) insertLeads(t *testing.T, x *explainer) {
	pgtest.Leads(t, x.generic, f.ws, 20)
}

func (f *filled) findHolders(t *testing.T, x *explainer) {
	asked := []pg.UniqueEmail{{Workspace: f.ws, Key: "7@example.com"}, {Workspace: f.ws, Key: "nobody@example.com"},
		{Workspace: f.ws, Key: "7@example.com"}}
	got, err := x.generic.FindHolders(t.Context(), asked)
	if err != nil || got[0] == (id.UUID{}) || got[1] != (id.UUID{}) || got[2] != got[0] {
		t.Fatalf("FindHolders() = %v, %v, want one lead twice and none between", got, err)
	}
}

func (f *filled) leaseDue(t *testing.T, x *explainer) {
	r := pg.LeaseRequest{Workspace: f.ws, Endpoint: f.endpoint.ID, Token: id.New(), Lease: time.Minute, Limit: 100}
	for _, r.Mode = range []pg.LeaseMode{pg.LeaseForDrain, pg.LeaseAhead} {
		if got, err := x.generic.LeaseDue(t.Context(), r); err != nil || len(got.Due) != r.Limit {
			t.Fatalf("LeaseDue() in mode %d = %d deliveries, %v, want %d", r.Mode, len(got.Due), err, r.Limit)
		}
	}
}

func (f *filled) recordOutcomes(t *testing.T, x *explainer) {
	lease := pg.LeaseRequest{Workspace: f.ws, Endpoint: f.endpoint.ID, Token: id.New(), Lease: time.Minute, Limit: 20,
		Mode: pg.LeaseNow}
	got, err := x.silent.LeaseDue(t.Context(), lease)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Due) == 0 { // another case has the lease
		got.Due = []webhook.DueDelivery{{DeliveryID: f.lead, Attempts: 1}}
	}
	r := pg.RecordRequest{Workspace: f.ws, Endpoint: f.endpoint.ID, Token: lease.Token, Health: &webhook.Health{}}
	for _, j := range got.Due {
		a := webhook.Attempt{DeliveryID: j.DeliveryID, ID: id.New(), Number: j.Attempts + 1, Status: 200, At: time.Now()}
		r.Outcomes = append(r.Outcomes, webhook.Outcome{Attempt: a, State: webhook.Delivered})
	}
	if _, err := x.generic.RecordOutcomes(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func (f *filled) waitingEndpoints(t *testing.T, x *explainer) {
	all, err := x.generic.WaitingEndpoints(t.Context(), pg.EndpointRef{}, time.Time{}, 100)
	if err != nil || len(all) < filledWorkspaces {
		t.Fatalf("WaitingEndpoints() = %d, %v, want those of all workspaces", len(all), err)
	}
}

func (f *filled) listLeads(t *testing.T, x *explainer) {
	if all, _, err := x.custom.FindLeads(t.Context(), f.ws, pg.LeadQuery{Limit: 50}); err != nil || len(all) != 50 {
		t.Fatalf("FindLeads() = %d leads, %v, want 50", len(all), err)
	}
}

func (f *filled) leadsSince(t *testing.T, x *explainer) {
	if all, _, _, err := x.custom.LeadsSince(t.Context(), f.ws, pg.LeadKey{}, 50); err != nil || len(all) != 50 {
		t.Fatalf("LeadsSince() = %d leads, %v, want 50", len(all), err)
	}
}

func (f *filled) searchLeads(t *testing.T, x *explainer) {
	q := pg.LeadQuery{Query: lead.Query{Text: []string{"rare7"}}, Limit: 50}
	if _, _, err := x.custom.FindLeads(t.Context(), f.ws, q); err != nil {
		t.Fatal(err)
	}
}

func (f *filled) searchPhone(t *testing.T, x *explainer) {
	q := pg.LeadQuery{Query: lead.Query{Phone: "15550100131"}, Limit: 50}
	if _, _, err := x.custom.FindLeads(t.Context(), f.ws, q); err != nil {
		t.Fatal(err)
	}
}

func (f *filled) listDeliveries(t *testing.T, x *explainer) { f.list(t, x, webhook.Filter{}) }

func (f *filled) listPending(t *testing.T, x *explainer) {
	f.list(t, x, webhook.Filter{States: []webhook.State{webhook.Pending}})
}

func (f *filled) listStuck(t *testing.T, x *explainer) {
	f.list(t, x, webhook.Filter{States: []webhook.State{webhook.Exhausted, webhook.Held}})
}

func (f *filled) listOfLead(t *testing.T, x *explainer) { f.list(t, x, webhook.Filter{LeadID: f.lead}) }

func (f *filled) list(t *testing.T, x *explainer, filter webhook.Filter) {
	t.Helper()
	found, _, err := x.custom.FindDeliveries(t.Context(), f.ws, pg.DeliveryQuery{Filter: filter, Limit: 50})
	if err != nil || len(found) == 0 {
		t.Fatalf("FindDeliveries(%+v) = %d deliveries, %v, want some", filter, len(found), err)
	}
}

func (f *filled) listSubmissions(t *testing.T, x *explainer) {
	f.submissions(t, x, pg.SubmissionQuery{})
}

func (f *filled) listHeldSubmissions(t *testing.T, x *explainer) {
	f.submissions(t, x, pg.SubmissionQuery{Verdicts: []lead.Verdict{lead.Held}})
}

func (f *filled) listSubmissionsOfLead(t *testing.T, x *explainer) {
	f.submissions(t, x, pg.SubmissionQuery{LeadID: f.lead})
}

func (f *filled) touchesOfLead(t *testing.T, x *explainer) {
	if got, err := x.custom.LeadTouches(t.Context(), f.ws, f.lead); err != nil || got.First == nil {
		t.Fatalf("LeadTouches = %+v, %v, want some", got, err)
	}
}

func (f *filled) submissions(t *testing.T, x *explainer, q pg.SubmissionQuery) {
	t.Helper()
	q.Limit = 50
	if found, _, err := x.custom.FindSubmissions(t.Context(), f.ws, q); err != nil || len(found) == 0 {
		t.Fatalf("FindSubmissions(%+v) = %d submissions, %v, want some", q, len(found), err)
	}
}

func (f *filled) enrich(t *testing.T, x *explainer) {
	find := func(_ context.Context, _ tenant.Settings, all []lead.Lead) []pg.Finding {
		return slices.Repeat([]pg.Finding{{Facts: []byte(`{"found":true}`)}}, len(all))
	}
	if got, err := x.generic.Enrich(t.Context(), []id.UUID{f.ws}, 200, find); err != nil || got.Done < 20 {
		t.Fatalf("Enrich() = %+v, %v, want 20 done", got, err)
	}
}

func (f *filled) replayAll(t *testing.T, x *explainer) {
	f.replay(t, x, webhook.Filter{EventType: webhook.LeadCreated})
}

func (f *filled) replayFailures(t *testing.T, x *explainer) {
	f.replay(t, x, webhook.Filter{EndpointID: f.endpoint.ID, States: []webhook.State{webhook.Exhausted}})
}

func (f *filled) replayLead(t *testing.T, x *explainer) {
	f.replay(t, x, webhook.Filter{LeadID: f.lead})
}

func (f *filled) replay(t *testing.T, x *explainer, filter webhook.Filter) {
	t.Helper()
	r := webhook.Replay{WorkspaceID: f.ws, ID: id.New(), Filter: filter, Rate: 1000,
		CreatedAt: time.Now().Add(time.Minute)}
	if err := x.silent.CreateReplay(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for _, db := range []*pg.DB{x.silent, x.custom} { // first it only counts, as far as it gets in a few seconds
		if _, err := db.RunReplay(t.Context(), f.ws, r.ID, 100); err != nil {
			t.Fatal(err)
		}
	}
}
