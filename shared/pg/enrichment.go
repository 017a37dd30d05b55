package pg

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
)

// maxEnrichAttempts ends a lead's enrichment when nothing was ever found out.
const maxEnrichAttempts = 10

// Finding is what enrichment found out about one lead.
type Finding struct {
	Facts []byte        // a JSON object; nil: nothing, because it failed
	Retry time.Duration // when it failed: how long to wait
}

// Find finds facts about leads of a workspace with these settings; it returns a Finding for each of them, in order.
type Find func(context.Context, tenant.Settings, []lead.Lead) []Finding

// Enriched is what one batch did.
type Enriched struct {
	Taken  int           // leads looked at
	More   bool          // others may be pending now
	Done   int           // leads of which facts were found
	Missed int           // leads that are changed meanwhile: they are pending again, after LookAgain
	Wake   []EndpointRef // endpoints that got deliveries
}

// LookAgain is when a lead that was being changed is pending again.
const LookAgain = 200 * time.Millisecond

// Enrich takes about limit leads of each of some workspaces that are new, and as many that are to be looked at again,
// fewer where they are large, asks find about them, and stores their facts, the words they are found by and, where the
// facts are others than before, the lead.enriched events and deliveries in one commit. Nothing is taken of a workspace
// that is suspended.
//
// No transaction is open while find runs. A lead that somebody changed meanwhile stays pending; of two workers with the
// same leads one stores what it found, and the other finds nothing left to do. So events of a lead are made one after
// the other, and each tells of the lead as it was when the event was made.
func (db *DB) Enrich(ctx context.Context, workspaces []id.UUID, limit int, find Find) (out Enriched, err error) {
	own := func(w *id.UUID) id.UUID { return *w }
	_, err = splitBatch(ctx, db, workspaces, own, func(part []id.UUID) ([]struct{}, error) {
		one, err := db.enrich(ctx, part, limit, find)
		out.add(one)
		return make([]struct{}, len(part)), err
	})
	return out, err
}

func (e *Enriched) add(one Enriched) {
	e.Taken, e.More, e.Done, e.Missed = e.Taken+one.Taken, e.More || one.More, e.Done+one.Done, e.Missed+one.Missed
	e.Wake = append(e.Wake, one.Wake...)
}

func (db *DB) enrich(ctx context.Context, workspaces []id.UUID, limit int, find Find) (out Enriched, err error) {
	var b enrichBatch
	err = b.read(ctx, db, workspaces, limit)
	defer func() { b.endSpans(err) }()
	if err != nil || len(b.leads)+len(b.gone) == 0 {
		return out, err
	}
	out.Taken, out.More = len(b.leads)+len(b.gone), b.cut || len(b.leads)+len(b.gone) >= limit
	if err := b.endGone(ctx, db); err != nil {
		return out, err
	}
	findings := b.find(ctx, find)
	err = db.withPartitions(ctx, func() error { return b.store(ctx, db, findings, &out) })
	return out, err
}

// enrichBatch is what one call of Enrich enriches.
type enrichBatch struct {
	settings map[id.UUID]tenant.Settings // of the workspaces it has leads of
	rows     []queueRow
	leads    []toEnrich // those of one workspace are side by side
	gone     []goneLead
	cut      bool // it ended early, because of its size
	traced   bool // a row of the queue has traces
}

// toEnrich is a lead whose enrichment is due, as it was read.
type toEnrich struct {
	lead.Lead
	former []byte      // facts
	kept   string      // of its trace; "": it has none
	span   *trace.Span // of its enrichment
}

// queueRow is the key of a row of enrichment_queue.
type queueRow struct {
	workspace id.UUID
	id        id.UUID // zero: what is due is not in the queue
	dueAt     time.Time
}

// goneLead is a lead that was deleted before it was looked at, or erased.
type goneLead struct {
	workspace id.UUID
	id        id.UUID
	dueAt     time.Time
	fresh     bool // it was in the queue
}

// enrichBytes is how large the leads of one batch get: it ends with the one that reaches it.
const enrichBytes = 1 << 20

// readPending reads what is due in each workspace of $1, first what changed and then what is new, that in whole rows of
// the queue, about limit of each. The array is behind a subquery, or Postgres would plan it anew each time, which costs
// more than running it. The limit is a constant, or Postgres would expect a tenth of everything. A lead is looked up by
// its primary key, whatever the planner thinks of the tables' sizes: see README.md. One that is deleted has no columns.
func readPending(limit int) string {
	n := strconv.Itoa(limit)
	// A row of the queue has 100 leads at most, so the limit of both together cuts nothing off. Without it Postgres
	// would expect ten leads of each row.
	return `
with active as materialized (
    select w.*
      from unnest((select $1::uuid[])) as u (workspace_id)
     cross join lateral (
        select w.id as workspace_id, ` + settingsOf + ` as settings from workspaces w
         where w.id between u.workspace_id and u.workspace_id and w.suspended_at is null
         order by w.id limit 1) w
)
select a.workspace_id, o.row_id, o.lead_id, o.due_at, case when o.nth = 1 then a.settings end, l.id is not null,
       coalesce(l.chatbot_id, '00000000-0000-0000-0000-000000000000'), coalesce(l.name, ''), coalesce(l.email, ''),
       coalesce(l.email_key, ''), coalesce(l.phone, ''), coalesce(l.source, ''), coalesce(l.status, ''), l.metadata,
       coalesce(l.created_at, 'epoch'), coalesce(l.updated_at, 'epoch'), o.facts,
       coalesce(o.trace, '')
  from active a
 cross join lateral (
    select row_number() over () as nth, due.*
      from ((select null::uuid as row_id, lead_id, due_at, facts, null::text as trace from enrichments cross join ` + dearToSort + `
              where workspace_id = ` + batchWorkspace("a.workspace_id") + ` and due_at <= now()
              order by workspace_id, due_at limit ` + n + `)
             union all
            select q.id, u.lead_id, q.due_at, null, u.trace
              from (select due_at, id, leads, traces, sum(cardinality(leads)) over (order by due_at, id) - cardinality(leads) as before
                      from (select due_at, id, leads, traces from enrichment_queue cross join ` + dearToSort + `
                             where workspace_id = ` + batchWorkspace("a.workspace_id") + ` and due_at <= now()
                             order by workspace_id, due_at, id limit ` + n + `) q) q
             cross join lateral unnest(q.leads, q.traces) u (lead_id, trace)
             where q.before < ` + n + `) due
      limit ` + strconv.Itoa(2*limit+100) + `) o
  left join lateral (
    select * from leads
     where workspace_id = ` + batchWorkspace("a.workspace_id") + ` and id between o.lead_id and o.lead_id and deleted_at is null
     order by id limit 1) l on true`
}

// read reads what one batch takes.
func (b *enrichBatch) read(ctx context.Context, db *DB, workspaces []id.UUID, limit int) error {
	ids := newColumn(uuids, len(workspaces))
	for _, w := range workspaces {
		ids.uuid(w)
	}
	b.settings = make(map[id.UUID]tenant.Settings, len(workspaces))
	seen := map[id.UUID]bool{}
	size := 0
	return conn.Each(ctx, db.Prepared(), "read pending enrichments", func(row conn.Row) error {
		var of queueRow
		var settings []byte
		var alive bool
		var l toEnrich
		err := row.Scan(&of.workspace, &of.id, &l.ID, &of.dueAt, &settings, &alive, &l.ChatbotID, &l.Name, &l.Email,
			&l.UniqueKey, &l.Phone, &l.Source, &l.Status, &l.Metadata, &l.CreatedAt, &l.UpdatedAt, &l.former,
			&l.kept)
		if err == nil && settings != nil {
			var s tenant.Settings
			err = json.Unmarshal(settings, &s)
			b.settings[of.workspace] = s
		}
		if err != nil {
			return err
		}
		b.traced = b.traced || l.kept != ""
		if b.cut = b.cut || size >= enrichBytes; b.cut {
			return nil
		}
		l.WorkspaceID = of.workspace
		fresh := of.id != id.UUID{}
		if n := len(b.rows); fresh && (n == 0 || b.rows[n-1] != of) {
			b.rows = append(b.rows, of)
		}
		switch {
		case !alive:
			b.gone = append(b.gone, goneLead{of.workspace, l.ID, of.dueAt, fresh})
		case !seen[l.ID]: // else it is new, and was changed too
			seen[l.ID] = true
			size += len(l.Metadata) + len(l.former)
			l.span = db.tracer.Continue(l.kept, "enrich lead", trace.Consumer)
			b.leads = append(b.leads, l)
		}
		return nil
	}, readPending(limit), ids.done())
}

// find asks find about the leads of each workspace.
func (b *enrichBatch) find(ctx context.Context, find Find) []Finding {
	findings := make([]Finding, 0, len(b.leads))
	var leads []lead.Lead
	for i := range b.leads {
		leads = append(leads, b.leads[i].Lead)
		workspace := b.leads[i].WorkspaceID
		if i+1 == len(b.leads) || b.leads[i+1].WorkspaceID != workspace {
			findings = append(findings, find(ctx, b.settings[workspace], leads)...)
			leads = nil
		}
	}
	return findings
}

// sameJSON reports whether two values are equal whatever the order of their members; what is no JSON equals nothing.
func sameJSON(a, b []byte) bool {
	if a == nil || b == nil {
		return false
	}
	x, y := jsontext.Value(bytes.Clone(a)), jsontext.Value(bytes.Clone(b))
	return bytes.Equal(a, b) || x.Canonicalize() == nil && y.Canonicalize() == nil && bytes.Equal(x, y)
}
