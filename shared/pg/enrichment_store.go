package pg

import (
	"context"
	"database/sql"
	"strings"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// storeFindings stores what was found out about leads. A lead is locked first, unless somebody has it, and passed over
// unless it is as it was read: so it has no event between its reading and its event here, and what an erasure removes
// does not come back. A row of enrichments that is there is written only where it is due: otherwise another worker was
// faster. What is left of a row of the queue is due again a little later.
//
// The arrays are behind a subquery, or Postgres would plan it anew each time for their lengths.
//
// $1 workspace, $2 leads, $3 facts, $4 seconds until the next attempt, $5 events, $6 their data, $7 attempts at most,
// $8 chatbots, $9 words, $10 when the leads were changed, $11 and $12 rows of the queue, $13 leads of them that are
// gone, $14 when those are due that were passed over. storeTraced is for a batch of which some have a trace, which is
// also in what is left of a row; $15 are their events'. Changes are at whole milliseconds, each later than the last: the
// event is half of one after the last and before the next.
var storeFindings, storeTraced = storeFindingsWith(false), storeFindingsWith(true)

const notSettled = `u.id not in (select lead_id from f union all select unnest(gone) from given)`

func storeFindingsWith(traces bool) string {
	var t struct{ given, arrays, column, ofEvent, list, ofRow, rest string } // what is said of traces
	if traces {
		t.given, t.arrays, t.column, t.ofEvent = `, $15::text[] as traces`, `, g.traces`, `, trace`, `, f.trace`
		t.list, t.ofRow, t.rest = `, traces`, `, e.traces`, `, array(
        select u.trace from unnest(leads, traces) with ordinality u (id, trace, nth)
         where `+notSettled+`
         order by u.nth) as traces`
	}
	return `
with given as materialized (
    select $2::uuid[] as leads, $3::json[] as facts, $4::int[] as retry, $5::uuid[] as events, $6::json[] as data,
           $8::uuid[] as chatbots, $9::text[] as words, $10::timestamptz[] as changed, $11::uuid[] as rows,
           $12::timestamptz[] as due, $13::uuid[] as gone` + t.given + `
), f as materialized (
    select u.*
      from given g
     cross join lateral unnest(g.leads, g.facts, g.retry, g.events, g.data, g.chatbots, g.words, g.changed` + t.arrays + `)
        as u (lead_id, facts, retry_s, event_id, data, chatbot_id, words, changed_at` + t.column + `)
     cross join lateral (
        select from leads
         where workspace_id = (select $1::uuid) and id between u.lead_id and u.lead_id and deleted_at is null
           and updated_at is not distinct from u.changed_at -- or it would be looked for in the index of that
         order by id limit 1
           for no key update skip locked) l
), stored as (
    insert into enrichments as e (workspace_id, lead_id, attempts, facts, words, enriched_at, due_at)
    select $1, lead_id, 1, facts, array_to_tsvector(string_to_array(words, ' ')),
           case when facts is not null then now() end,
           case when facts is null and 1 < $7 then now() + make_interval(secs => retry_s) end
      from f
    on conflict (workspace_id, lead_id) do update
       set attempts = e.attempts + 1, words = excluded.words,
           facts = case when excluded.facts is null and e.attempts + 1 < $7 then e.facts else excluded.facts end,
           enriched_at = case when excluded.facts is not null then now()
                              when e.attempts + 1 < $7 then e.enriched_at end,
           due_at = case when e.attempts + 1 < $7 then excluded.due_at end
     where e.due_at is not null
    returning lead_id
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at` + t.column + `)
    select $1, f.event_id, '` + webhook.LeadEnriched + `', f.lead_id, f.chatbot_id, f.data,
           greatest(date_trunc('milliseconds', clock_timestamp()) - interval '500 us', f.changed_at + interval '500 us')` + t.ofEvent + `
      from f join stored using (lead_id)
     where f.data is not null
    returning workspace_id, id, type, chatbot_id, created_at
), q as materialized (
    select o.*
      from given g
     cross join lateral unnest(g.rows, g.due) u (id, due_at)
     cross join lateral (
        select e.ctid as at, e.leads` + t.ofRow + ` from enrichment_queue e cross join ` + dearToSort + `
         where e.workspace_id = (select $1::uuid) and e.due_at = u.due_at and e.id between u.id and u.id
         order by e.workspace_id, e.due_at, e.id limit 1
           for update of e) o
), rest as materialized (
    select array(
        select u.id from unnest(leads) with ordinality u (id, nth)
         where ` + notSettled + `
         order by u.nth) as leads` + t.rest + `
      from q
), settled as materialized (
    select count(*) as n, count(*) < (select cardinality(leads) from given) as missed from f
), finished as (
    delete from enrichment_queue where ctid = any(array(select at from q))
), kept as (
    insert into enrichment_queue (workspace_id, due_at, id, leads` + t.list + `)
    select $1, clock_timestamp() + case when s.missed then cast($14 as interval) else '0' end, leads[1], leads` + t.list + `
      from rest cross join settled s
     where leads <> '{}'
), ` + fanOut + `
select workspace_id, endpoint_id, null from endpoints_to_wake
union all
select null, null, n from settled`
}

func (b *enrichBatch) store(ctx context.Context, db *DB, findings []Finding, out *Enriched) error {
	n := len(b.leads)
	ids, facts, retry, events := newColumn(uuids, n), newColumn(jsons, n), newColumn(ints, n), newColumn(uuids, n)
	data, chatbots, words, changed := newColumn(payloads, n), newColumn(uuids, n), newColumn(longs, n), newColumn(times, n)
	rows, due, gone := newColumn(uuids, len(b.rows)), newColumn(times, len(b.rows)), newColumn(uuids, len(b.gone))
	for _, r := range b.rows {
		rows.uuid(r.id)
		due.time(r.dueAt)
	}
	for _, g := range b.gone {
		gone.uuid(g.id)
	}
	out.Done, out.Wake = 0, nil
	var text []byte
	for i := range b.leads {
		l := &b.leads[i].Lead
		ids.uuid(l.ID)
		events.uuid(id.New())
		chatbots.optionalUUID(l.ChatbotID)
		changed.time(l.UpdatedAt)
		retry.int(int64(findings[i].Retry.Seconds()))
		words.string(strings.Join(lead.Words(l), " "))
		l.Enrichment = findings[i].Facts
		if l.Enrichment == nil {
			facts.null()
			data.null()
			continue
		}
		out.Done++
		facts.bytes(l.Enrichment)
		if sameJSON(l.Enrichment, b.leads[i].former) {
			data.null()
			continue
		}
		text = l.AppendJSON(text[:0], true)
		data.bytes(text)
	}
	args := []any{b.workspace, ids.done(), facts.done(), retry.done(), events.done(), data.done(), maxEnrichAttempts,
		chatbots.done(), words.done(), changed.done(), rows.done(), due.done(), gone.done(), interval(LookAgain)}
	statement := storeFindings
	if b.traced {
		statement, args = storeTraced, append(args, b.traces())
	}
	return conn.Each(ctx, db.Prepared(), "store enrichments", func(row conn.Row) error {
		var ref EndpointRef
		var settled sql.NullInt64
		err := row.Scan(&ref.Workspace, &ref.Endpoint, &settled)
		if settled.Valid {
			out.Missed = n - int(settled.Int64)
		} else {
			out.Wake = append(out.Wake, ref)
		}
		return err
	}, statement, args...)
}

// endGone ends the enrichment of leads that are deleted: restoring one makes it due again, at another time.
func (b *enrichBatch) endGone(ctx context.Context, db *DB) error {
	const q = `
with gone as materialized (
    select g.*
      from (select $1::uuid, lead_id, due_at
              from unnest($2::uuid[], $3::timestamptz[]) u (lead_id, due_at)) as g (workspace_id, lead_id, due_at)
)
update enrichments e set due_at = null, words = coalesce(e.words, '') || '` + lead.WordsVersion + `'::tsvector
  from gone g
 where e.workspace_id = g.workspace_id and e.lead_id = g.lead_id and e.due_at = g.due_at`
	ids, due, n := newColumn(uuids, len(b.gone)), newColumn(times, len(b.gone)), 0
	for _, g := range b.gone {
		if !g.fresh {
			ids.uuid(g.id)
			due.time(g.dueAt)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	_, err := conn.Exec(ctx, db, "end enrichments", q, b.workspace, ids.done(), due.done())
	return err
}

// DueEnrichments returns up to limit workspaces whose enrichment is due and that are not suspended. It is two skip
// scans: each goes from the first that is due in a workspace to the first in the next one, and does not read what is
// due later. It looks across workspaces.
func (db *DB) DueEnrichments(ctx context.Context, limit int) ([]id.UUID, error) {
	q := `
with recursive again (workspace_id, due_at) as (
    (select workspace_id, due_at from enrichments where due_at is not null order by workspace_id, due_at limit 1)
    union all
    select n.workspace_id, n.due_at
      from again a
     cross join lateral (
        select e.workspace_id, e.due_at from enrichments e
         where e.due_at is not null and e.workspace_id > a.workspace_id
         order by e.workspace_id, e.due_at
         limit 1) n
), fresh (workspace_id, due_at) as (
    (select workspace_id, due_at from enrichment_queue order by workspace_id, due_at limit 1)
    union all
    select n.workspace_id, n.due_at
      from fresh f
     cross join lateral (
        select q.workspace_id, q.due_at from enrichment_queue q
         where q.workspace_id > f.workspace_id
         order by q.workspace_id, q.due_at
         limit 1) n
)
select workspace_id
  from (select * from again union select * from fresh) due
 where due_at <= now() and ` + isActive("workspace_id") + `
 group by workspace_id
 limit $1`
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
