package pg

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// maxEnrichAttempts ends a lead's enrichment when nothing was ever found out.
const maxEnrichAttempts = 10

// Finding is what enrichment found out about one lead.
type Finding struct {
	Facts []byte        // a JSON object; nil: nothing, because it failed
	Retry time.Duration // when it failed: how long to wait
}

// Enriched is what one batch did.
type Enriched struct {
	Taken int           // leads looked at
	More  bool          // others may be pending now
	Done  int           // leads that have facts
	Wake  []EndpointRef // endpoints that got deliveries
}

const (
	lockPending = `
select lead_id from enrichments where workspace_id = $1 and due_at <= now() order by due_at limit $2 for update skip locked`

	// By the primary keys, whatever the planner thinks of the tables' sizes: see README.md.
	readPending = `
select ` + leadColumns + `, e.facts
  from unnest($2::uuid[]) with ordinality o (lead_id, nth)
 cross join lateral (
    select * from leads where workspace_id = $1 and id between o.lead_id and o.lead_id and deleted_at is null order by id limit 1) l
 cross join lateral (
    select facts from enrichments where workspace_id = $1 and lead_id between o.lead_id and o.lead_id order by lead_id limit 1) e
 order by o.nth`

	// A lead that is deleted is not read, and its enrichment ends here; restoring it makes it due again.
	//
	// $1 workspace, $2 leads, $3 facts, $4 seconds until the next attempt, $5 events, $6 their data, $7 attempts at
	// most, $8 chatbots, $9 words, $10 leads that are deleted, $11 when the leads were changed. Changes are at whole
	// milliseconds, each later than the last: the event is half of one after the last and before the next.
	storeFindings = `
with f as materialized (
    select $1::uuid as workspace_id, f.*
      from unnest($2::uuid[], $3::json[], $4::int[], $5::uuid[], $6::json[], $8::uuid[], $9::text[], $11::timestamptz[])
        as f (lead_id, facts, retry_s, event_id, data, chatbot_id, words, changed_at)
), kept as (
    update enrichments e
       set attempts = e.attempts + 1, words = array_to_tsvector(string_to_array(f.words, ' ')),
           facts = case when f.facts is null and e.attempts + 1 < $7 then e.facts else f.facts end,
           enriched_at = case when f.facts is not null then now() when e.attempts + 1 < $7 then e.enriched_at end,
           due_at = case when f.facts is null and e.attempts + 1 < $7 then now() + make_interval(secs => f.retry_s) end
      from f
     where e.workspace_id = f.workspace_id and e.lead_id = f.lead_id
), d as materialized (
    select $1::uuid as workspace_id, d.lead_id from unnest($10::uuid[]) as d (lead_id)
), gone as (
    update enrichments e set due_at = null, words = coalesce(e.words, '') || '` + lead.WordsVersion + `'::tsvector
      from d
     where e.workspace_id = d.workspace_id and e.lead_id = d.lead_id
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at)
    select workspace_id, event_id, '` + webhook.LeadEnriched + `', lead_id, chatbot_id, data,
           greatest(date_trunc('milliseconds', clock_timestamp()) - interval '500 us', changed_at + interval '500 us')
      from f where data is not null
    returning workspace_id, id, type, chatbot_id, created_at
), ` + fanOut + `
select workspace_id, endpoint_id from endpoints_to_wake`
)

// Enrich takes up to limit leads of a workspace whose enrichment is due, fewer where they are large, asks find about
// them, and stores their facts, the words they are found by and, where the facts are others than before, the
// lead.enriched events and deliveries in one commit. Rows another worker has are passed over; a crash leaves them due.
// The rows stay locked while find runs, so it must be a matter of seconds.
func (db *DB) Enrich(ctx context.Context, workspace id.UUID, limit int, find func(context.Context,
	[]lead.Lead) []Finding) (
	out Enriched, err error) {
	stmts, err := db.Prepare(ctx, lockPending, readPending, storeFindings)
	if err != nil {
		return out, err
	}
	err = db.withPartitions(ctx, func() error {
		out, err = db.enrich(ctx, stmts, workspace, limit, find)
		return err
	})
	return out, err
}

func (db *DB) enrich(ctx context.Context, stmts conn.Statements, workspace id.UUID, limit int,
	find func(context.Context, []lead.Lead) []Finding) (out Enriched, err error) {
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		// What is read once the rows are locked is no older than what made them due: whoever changes a lead makes its
		// row due in the same commit.
		on := stmts.In(tx)
		pending, err := conn.Collect(ctx, on, "lock pending enrichments", conn.Value[id.UUID], lockPending, workspace, limit)
		if err != nil || len(pending) == 0 {
			return err
		}
		leads, taken, err := readToEnrich(ctx, on, workspace, pending)
		if err != nil {
			return err
		}
		out.Taken, out.More = len(taken), len(taken) < len(pending) || len(pending) == limit
		former := make([][]byte, len(leads))
		for i := range leads {
			former[i], leads[i].Enrichment = leads[i].Enrichment, nil
		}
		var findings []Finding
		if len(leads) > 0 {
			findings = find(ctx, leads)
		}
		b := enrichBatch{workspace: workspace, taken: taken, leads: leads, former: former, findings: findings}
		return b.store(ctx, on, &out)
	})
	return out, err
}

// enrichBytes is how large the leads of one batch get: it ends with the one that reaches it.
const enrichBytes = 1 << 20

// readToEnrich reads the leads of pending enrichments, as many as one batch takes, and returns whose enrichments are
// part of it.
func readToEnrich(ctx context.Context, on conn.Queryer, workspace id.UUID, pending []id.UUID) (leads []lead.Lead,
	taken []id.UUID, err error) {
	taken = pending
	size := 0
	err = conn.Each(ctx, on, "read leads to enrich", func(row conn.Row) error {
		l, err := scanLead(row)
		switch {
		case err != nil:
			return err
		case size < enrichBytes:
			size += len(l.Metadata) + len(l.Enrichment)
			leads = append(leads, l)
		case len(taken) == len(pending): // the first that is left for the next batch
			taken = pending[:slices.Index(pending, l.ID)]
		}
		return nil
	}, readPending, workspace, idArray(pending))
	return leads, taken, err
}

// enrichBatch is what one transaction enriches.
type enrichBatch struct {
	workspace id.UUID
	taken     []id.UUID   // whose rows are locked
	leads     []lead.Lead // those of them that are not deleted
	former    [][]byte    // facts
	findings  []Finding
}

func (b *enrichBatch) store(ctx context.Context, on conn.Queryer, out *Enriched) (err error) {
	n := len(b.leads)
	ids, facts, retry, events := newColumn(n, 36), newColumn(n, 256), newColumn(n, 4), newColumn(n, 36)
	data, chatbots, words, changed := newColumn(n, 768), newColumn(n, 36), newColumn(n, 512), newColumn(n, 24)
	deleted := map[id.UUID]bool{}
	for _, t := range b.taken {
		deleted[t] = true
	}
	var text []byte
	for i := range b.leads {
		l := &b.leads[i]
		delete(deleted, l.ID)
		ids.uuid(l.ID)
		events.uuid(id.New())
		chatbots.optionalUUID(l.ChatbotID)
		changed.time(l.UpdatedAt)
		retry.int(int64(b.findings[i].Retry.Seconds()))
		words.string(strings.Join(lead.Words(l), " "))
		l.Enrichment = b.findings[i].Facts
		if l.Enrichment == nil {
			facts.null()
			data.null()
			continue
		}
		out.Done++
		facts.bytes(l.Enrichment)
		if sameJSON(l.Enrichment, b.former[i]) {
			data.null()
			continue
		}
		text = l.AppendJSON(text[:0], true)
		data.bytes(text)
	}
	none := newColumn(len(deleted), 36)
	for g := range deleted {
		none.uuid(g)
	}
	out.Wake, err = conn.Collect(ctx, on, "store enrichments", scanRef, storeFindings, b.workspace, ids.done(),
		facts.done(), retry.done(), events.done(), data.done(), maxEnrichAttempts, chatbots.done(), words.done(), none.done(),
		changed.done())
	return err
}

// sameJSON reports whether two values are equal whatever the order of their members; what is no JSON equals nothing.
func sameJSON(a, b []byte) bool {
	if a == nil || b == nil {
		return false
	}
	x, y := jsontext.Value(bytes.Clone(a)), jsontext.Value(bytes.Clone(b))
	return bytes.Equal(a, b) || x.Canonicalize() == nil && y.Canonicalize() == nil && bytes.Equal(x, y)
}

// DueEnrichments returns up to limit workspaces whose enrichment is due and that are not suspended. It is a skip scan: it goes from the first that
// is due in a workspace to the first in the next one, and does not read what is due later. It looks across workspaces.
func (db *DB) DueEnrichments(ctx context.Context, limit int) ([]id.UUID, error) {
	q := `
with recursive hop (workspace_id, due_at) as (
    (select workspace_id, due_at from enrichments where due_at is not null order by workspace_id, due_at limit 1)
    union all
    select n.workspace_id, n.due_at
      from hop
     cross join lateral (
        select e.workspace_id, e.due_at from enrichments e
         where e.due_at is not null and e.workspace_id > hop.workspace_id
         order by e.workspace_id, e.due_at
         limit 1) n
)
select workspace_id from hop where due_at <= now() and ` + isActive("workspace_id") + ` limit $1`
	return conn.Collect(ctx, db, "due enrichments", conn.Value[id.UUID], q, limit)
}

// ReindexSearch makes up to limit leads due for enrichment whose words are of before lead.WordsVersion, and returns how
// many. It looks across workspaces.
func (db *DB) ReindexSearch(ctx context.Context, limit int) (leads int, err error) {
	const q = `
update enrichments set due_at = now() where ctid = any(array(
    select ctid from enrichments where ` + oldWords + ` limit $1 for update skip locked))`
	return conn.Exec(ctx, db, "reindex search", q, limit)
}
