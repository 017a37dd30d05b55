package pg

import (
	"context"
	"database/sql"
	"strconv"

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
// $1 workspaces of leads, $2 leads, $3 facts, $4 seconds until the next attempt, $5 events, $6 their data, $7 attempts
// at most, $8 chatbots, $9 words, $10 when the leads were changed, $11 and $12 rows of the queue, $13 leads of them
// that are gone, $14 when those are due that were passed over, $15 workspaces of the rows. storeTraced is for a batch
// of which some have a trace, which is also in what is left of a row; $16 are their events'. Changes are at whole
// milliseconds, each later than the last: the event is half of one after the last and before the next.
var storeFindings, storeTraced = storeFindingsWith(false), storeFindingsWith(true)

const notSettled = `u.id not in (select lead_id from f union all select unnest(gone) from given)`

func storeFindingsWith(traces bool) string {
	var t struct{ given, arrays, column, ofEvent, list, ofRow, rest string } // what is said of traces
	if traces {
		t.given, t.arrays, t.column, t.ofEvent = `, $16::text[] as traces`, `, g.traces`, `, trace`, `, f.trace`
		t.list, t.ofRow, t.rest = `, traces`, `, e.traces`, `, array(
        select u.trace from unnest(leads, traces) with ordinality u (id, trace, nth)
         where `+notSettled+`
         order by u.nth) as traces`
	}
	return `
with given as materialized (
    select $1::uuid[] as workspaces, $2::uuid[] as leads, $3::json[] as facts, $4::int[] as retry, $5::uuid[] as events, $6::json[] as data,
           $8::uuid[] as chatbots, $9::text[] as words, $10::timestamptz[] as changed, $11::uuid[] as rows,
           $12::timestamptz[] as due, $13::uuid[] as gone, $15::uuid[] as row_workspaces` + t.given + `
), f as materialized (
    select u.*
      from given g
     cross join lateral unnest(g.workspaces, g.leads, g.facts, g.retry, g.events, g.data, g.chatbots, g.words, g.changed` + t.arrays + `)
        as u (workspace_id, lead_id, facts, retry_s, event_id, data, chatbot_id, words, changed_at` + t.column + `)
     cross join lateral (
        select from leads
         where workspace_id = ` + batchWorkspace("u.workspace_id") + ` and id between u.lead_id and u.lead_id and deleted_at is null
           and updated_at is not distinct from u.changed_at -- or it would be looked for in the index of that
         order by id limit 1
           for no key update skip locked) l
), stored as (
    insert into enrichments as e (workspace_id, lead_id, attempts, facts, words, enriched_at, due_at)
    select workspace_id, lead_id, 1, facts, array_to_tsvector(string_to_array(words, ' ')),
           case when facts is not null then now() end,
           case when facts is null and 1 < $7 then now() + make_interval(secs => retry_s) end
      from f
    on conflict (workspace_id, lead_id) do update
       set attempts = e.attempts + 1, words = excluded.words,
           facts = case when excluded.facts is null and e.attempts + 1 < $7 then e.facts else excluded.facts end,
           enriched_at = case when excluded.facts is not null then excluded.enriched_at
                              when e.attempts + 1 < $7 then e.enriched_at end,
           due_at = case when e.attempts + 1 < $7 then excluded.due_at end
     where e.due_at is not null
    returning workspace_id, lead_id
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at` + t.column + `)
    select f.workspace_id, f.event_id, '` + webhook.LeadEnriched + `', f.lead_id, f.chatbot_id, f.data,
           greatest(date_trunc('milliseconds', clock_timestamp()) - interval '500 us', f.changed_at + interval '500 us')` + t.ofEvent + `
      from f join stored using (workspace_id, lead_id)
     where f.data is not null
    returning workspace_id, id, type, chatbot_id, created_at
), q as materialized (
    select o.*
      from given g
     cross join lateral unnest(g.row_workspaces, g.rows, g.due) as u (workspace_id, id, due_at)
     cross join lateral (
        select ` + conn.Either("e.ctid as at, ", "") + `e.workspace_id, e.leads` + t.ofRow + ` from enrichment_queue e cross join ` + dearToSort + `
         where e.workspace_id = ` + conn.Either("u.workspace_id", "($15::uuid[])[1]") + ` and e.due_at = u.due_at and e.id between u.id and u.id
         order by e.workspace_id, e.due_at, e.id limit 1
           for update of e) o
), rest as materialized (
    select workspace_id, array(
        select u.id from unnest(leads) with ordinality u (id, nth)
         where ` + notSettled + `
         order by u.nth) as leads` + t.rest + `
      from q
), settled as materialized (
    select count(*) as n, count(*) < (select cardinality(leads) from given) as missed from f
), finished as (
    delete from enrichment_queue where ` + conn.Either(`ctid = any(array(select at from q))`, `workspace_id = ($15::uuid[])[1] and (due_at, id) in (select unnest($12::timestamptz[]), unnest($11::uuid[]))`) + `
), kept as (
    insert into enrichment_queue (workspace_id, due_at, id, leads` + t.list + `)
    select workspace_id, clock_timestamp() + case when s.missed then cast($14 as interval) else '0' end, leads[1], leads` + t.list + `
      from rest cross join settled s
     where leads <> '{}'
), ` + fanOut(workspaceOfBatch) + `
select workspace_id, endpoint_id, null from endpoints_to_wake
union all
select null, null, n from settled`
}

func (b *enrichBatch) store(ctx context.Context, db *DB, findings []Finding, out *Enriched) error {
	n := len(b.leads)
	workspaces, ids, facts := newColumn(uuids, n), newColumn(uuids, n), newColumn(jsons, n)
	retry, events := newColumn(ints, n), newColumn(uuids, n)
	data, chatbots, words, changed := newColumn(payloads, n), newColumn(uuids, n), newColumn(longs, n), newColumn(times, n)
	of, rows, due := newColumn(uuids, len(b.rows)), newColumn(uuids, len(b.rows)), newColumn(times, len(b.rows))
	for _, r := range b.rows {
		of.uuid(r.workspace)
		rows.uuid(r.id)
		due.time(r.dueAt)
	}
	gone := newColumn(uuids, len(b.gone))
	for _, g := range b.gone {
		gone.uuid(g.id)
	}
	out.Done, out.Wake = 0, nil
	var text []byte
	for i := range b.leads {
		l := &b.leads[i].Lead
		workspaces.uuid(l.WorkspaceID)
		ids.uuid(l.ID)
		events.uuid(id.New())
		chatbots.optionalUUID(l.ChatbotID)
		changed.time(l.UpdatedAt)
		retry.int(int64(findings[i].Retry.Seconds()))
		text = lead.AppendWords(text[:0], l)
		words.bytes(text)
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
	args := []any{workspaces.done(), ids.done(), facts.done(), retry.done(), events.done(), data.done(), maxEnrichAttempts,
		chatbots.done(), words.done(), changed.done(), rows.done(), due.done(), gone.done(), interval(LookAgain),
		of.done()}
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
      from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as g (workspace_id, lead_id, due_at)
)
update enrichments e set due_at = null, words = coalesce(e.words, '') || '` + lead.WordsVersion + `'::tsvector
  from gone g
 where e.workspace_id = g.workspace_id and e.lead_id = g.lead_id and e.due_at = g.due_at`
	columns := newColumns(len(b.gone), uuids, uuids, times)
	workspaces, ids, due, n := columns[0], columns[1], columns[2], 0
	for _, g := range b.gone {
		if !g.fresh {
			workspaces.uuid(g.workspace)
			ids.uuid(g.id)
			due.time(g.dueAt)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	_, err := conn.Exec(ctx, db, "end enrichments", q, arrays(columns...)...)
	return err
}

// DueEnrichment is a workspace some of whose leads wait for enrichment now.
type DueEnrichment struct {
	Workspace id.UUID
	Leads     int // counted up to somewhat beyond what was asked for
}

// DueEnrichments returns up to limit workspaces after one, by id, whose enrichment is due and that are not suspended,
// and counts the leads of each to about counted. It is two skip scans: each goes from the first that is due in a
// workspace to the first in the next one, and does not read what is due later. It looks across workspaces.
func (db *DB) DueEnrichments(ctx context.Context, after id.UUID, limit, counted int) ([]DueEnrichment, error) {
	n := strconv.Itoa(counted)
	q := conn.Either(`
with recursive again (workspace_id, due_at) as (
    (select workspace_id, due_at from enrichments
      where due_at is not null and workspace_id > $1 order by workspace_id, due_at limit 1)
    union all
    select n.workspace_id, n.due_at
      from again a
     cross join lateral (
        select e.workspace_id, e.due_at from enrichments e
         where e.due_at is not null and e.workspace_id > a.workspace_id
         order by e.workspace_id, e.due_at
         limit 1) n
), fresh (workspace_id, due_at) as (
    (select workspace_id, due_at from enrichment_queue where workspace_id > $1 order by workspace_id, due_at limit 1)
    union all
    select n.workspace_id, n.due_at
      from fresh f
     cross join lateral (
        select q.workspace_id, q.due_at from enrichment_queue q
         where q.workspace_id > f.workspace_id
         order by q.workspace_id, q.due_at
         limit 1) n
), due as (
    select workspace_id
      from (select * from again union all select * from fresh) each
     where due_at <= now() and `+isActive("workspace_id")+`
     group by workspace_id
     order by workspace_id
     limit $2
)
select d.workspace_id,
       (select count(*) from (
            select from enrichments where workspace_id = d.workspace_id and due_at <= now() limit `+n+`) again) +
       (select coalesce(sum(cardinality(leads)), 0) from (
            select leads from enrichment_queue cross join `+dearToSort+`
             where workspace_id = d.workspace_id and due_at <= now()
             order by workspace_id, due_at, id limit `+n+`) fresh)
  from due d
 order by d.workspace_id`, `
select workspace_id, least(sum(n), `+n+`)
  from (select workspace_id, count(*) as n from enrichments where due_at <= now() and workspace_id > $1 group by 1
        union all
        select workspace_id, sum(cardinality(leads)) from enrichment_queue where due_at <= now() and workspace_id > $1
         group by 1) each
  join workspaces w on w.id = workspace_id and w.suspended_at is null
 group by workspace_id order by workspace_id limit $2`)
	return conn.Collect(ctx, db.Prepared(), "due enrichments", func(row conn.Row) (d DueEnrichment, err error) {
		err = row.Scan(&d.Workspace, &d.Leads)
		return d, err
	}, q, after, limit)
}

// ReindexSearch makes up to limit leads due for enrichment whose words are of before lead.WordsVersion, and returns how
// many. It looks across workspaces.
func (db *DB) ReindexSearch(ctx context.Context, limit int) (leads int, err error) {
	q := `
update enrichments set due_at = now() where ` + conn.Either(`ctid = any(array(
    select ctid from enrichments where `+oldWords+` limit $1 for update skip locked))`, oldWords+` and $1 > 0`)
	return conn.Exec(ctx, db, "reindex search", q, limit)
}
