package pg

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// maxEnrichAttempts ends a lead's enrichment when nothing was ever found out.
const maxEnrichAttempts = 10

// Finding is what enrichment found out about one lead.
type Finding struct {
	Facts []byte        // a JSON object; nil: nothing, because it failed
	Retry time.Duration // when it failed: how long to wait
}

// Enriched is what one round did.
type Enriched struct {
	Taken int           // leads looked at; fewer than asked for means that no more are owed now
	Done  int           // leads that have facts
	Wake  []EndpointRef // endpoints that got deliveries
}

// Enrich takes up to limit leads of a workspace that are owed enrichment, asks find about them, and stores their facts with the
// lead.enriched events and deliveries in one commit. Rows another worker has are passed over; a crash leaves them owed.
// The rows stay locked while find runs, so it must be a matter of seconds.
func (db *DB) Enrich(ctx context.Context, workspace id.UUID, limit int, find func(context.Context, []lead.Lead) []Finding) (out Enriched, err error) {
	const takeQ = `
with owed as materialized (
    select workspace_id, lead_id from enrichments
     where workspace_id = $1 and due_at <= now() order by due_at limit $2 for update skip locked
)
select l.workspace_id, l.id, coalesce(l.chatbot_id, '00000000-0000-0000-0000-000000000000'), coalesce(l.name, ''), l.email, l.email_key, coalesce(l.phone, ''),
       l.source, l.status, l.metadata, l.created_at, l.updated_at, null
  from owed o
 cross join lateral (select * from leads where workspace_id = o.workspace_id and id = o.lead_id and deleted_at is null order by workspace_id, id limit 1) l -- by the primary key, whatever the planner thinks of the table's size`
	const storeQ = `
with f as (
    select * from unnest($2::uuid[], $3::json[], $4::int[], $5::uuid[], $6::json[], $8::uuid[]) as f (lead_id, facts, retry_s, event_id, data, chatbot_id)
), kept as (
    update enrichments e set facts = f.facts, attempts = e.attempts + 1,
           enriched_at = case when f.facts is not null then now() end,
           due_at = case when f.facts is null and e.attempts + 1 < $7 then now() + make_interval(secs => f.retry_s) end
      from f where e.workspace_id = $1 and e.lead_id = f.lead_id
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at)
    select $1, event_id, '` + hook.LeadEnriched + `', lead_id, chatbot_id, data, now() from f where facts is not null
    returning workspace_id, id, type, chatbot_id, created_at
), ` + fanOut + `
select workspace_id, endpoint_id from awake`
	// Prepared before the transaction begins: inside it, that would need a second connection.
	take, err := db.prepared(ctx, takeQ)
	if err != nil {
		return out, fail(ctx, "prepare take owed enrichments", err)
	}
	store, err := db.prepared(ctx, storeQ)
	if err != nil {
		return out, fail(ctx, "prepare store enrichments", err)
	}
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		leads, err := takeOwed(ctx, tx, take, workspace, limit)
		if err != nil || len(leads) == 0 {
			return err
		}
		out.Taken = len(leads)
		return storeFindings(ctx, tx, store, leads, find(ctx, leads), &out)
	})
	return out, err
}

func takeOwed(ctx context.Context, tx *sqlx.Tx, take *sqlx.Stmt, workspace id.UUID, limit int) ([]lead.Lead, error) {
	rows, err := tx.StmtxContext(ctx, take).QueryContext(ctx, workspace, limit)
	if err != nil {
		return nil, fail(ctx, "take owed enrichments", err)
	}
	defer rows.Close()
	var leads []lead.Lead
	for rows.Next() {
		l, err := scanLead(rows)
		if err != nil {
			return nil, fail(ctx, "take owed enrichments", err)
		}
		leads = append(leads, l)
	}
	return leads, fail(ctx, "take owed enrichments", rows.Err())
}

func storeFindings(ctx context.Context, tx *sqlx.Tx, store *sqlx.Stmt, leads []lead.Lead, findings []Finding, out *Enriched) error {
	n := len(leads)
	ids, facts, retry, events, data, chatbots := newColumn(n, 36), newColumn(n, 256), newColumn(n, 4), newColumn(n, 36), newColumn(n, 768), newColumn(n, 36)
	var text []byte
	for i := range leads {
		l := &leads[i]
		ids.uuid(l.ID)
		events.uuid(id.New())
		chatbots.optionalUUID(l.ChatbotID)
		retry.int(int64(findings[i].Retry.Seconds()))
		l.Enrichment = findings[i].Facts
		text = l.AppendJSON(text[:0], true)
		data.bytes(text)
		if l.Enrichment == nil {
			facts.null()
			continue
		}
		out.Done++
		facts.bytes(l.Enrichment)
	}
	rows, err := tx.StmtxContext(ctx, store).QueryContext(ctx, leads[0].WorkspaceID, ids.done(), facts.done(), retry.done(), events.done(), data.done(), maxEnrichAttempts, chatbots.done())
	if err != nil {
		return fail(ctx, "store enrichments", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r EndpointRef
		if err := rows.Scan(&r.Workspace, &r.Endpoint); err != nil {
			return fail(ctx, "store enrichments", err)
		}
		out.Wake = append(out.Wake, r)
	}
	return fail(ctx, "store enrichments", rows.Err())
}

// DueEnrichments returns up to limit workspaces that are owed enrichment, hopping from one to the next in the index.
func (db *DB) DueEnrichments(ctx context.Context, limit int) ([]id.UUID, error) {
	const q = `
with recursive hop (workspace_id) as (
    (select workspace_id from enrichments where due_at <= now() order by workspace_id limit 1)
    union all
    select (select e.workspace_id from enrichments e where e.due_at <= now() and e.workspace_id > hop.workspace_id order by e.workspace_id limit 1)
      from hop where hop.workspace_id is not null
)
select workspace_id from hop where workspace_id is not null limit $1`
	var all []id.UUID
	err := db.SelectContext(ctx, &all, q, limit)
	return all, fail(ctx, "due enrichments", err)
}
