package pg

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// EndpointRef names an endpoint that has work.
type EndpointRef struct {
	Workspace id.UUID
	Endpoint  id.UUID
}

// NewLead is a lead to insert with the id of its lead.created event; zero: there is none. Books count it by its way in,
// and by its form if that has one; "": its caller counts it.
type NewLead struct {
	lead.Lead
	EventID    id.UUID
	Way        tenant.Way
	FormID     id.UUID
	Submission *lead.Submission // by which it came; nil: no form's
	Trace      *trace.Span      // of the request that it came with; nil: nobody follows that
}

// Inserted is what became of a batch.
type Inserted struct {
	Leads []LeadResult  // one for each lead, in order
	Wake  []EndpointRef // endpoints that got deliveries
}

// LeadResult is what became of one lead: inserted, or Taken, its email being that of Holder.
// Holder is zero in the rare case that the holder was deleted since.
type LeadResult struct {
	Taken      bool
	Suppressed bool // its email may not come back: it was not inserted, whoever has the email
	Holder     id.UUID
	UpdatedAt  time.Time // where it was inserted and is later than when it was created; else zero
}

// fanOut is the fan-out of events. The deliveries, written in the commit of the change itself, are the outbox. It makes
// the deliveries of the events inserted by the CTE "ev": one for each endpoint of the workspace that wants the type and
// the chatbot. Those for a disabled endpoint are held. They are sent in the order of next_at. That is the time of this
// statement, not of the transaction: whoever changes a lead has locked it by now, so its later events get later times.
// "endpoints_to_wake" are the endpoints whose drain is to be woken: one whose breaker is open waits for its probe.
//
// workspace is that of all the events, for Citus: workspaceOfBatch or $1.
func fanOut(workspace string) string {
	return `dl as (
    insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
    select ev.workspace_id, delivery_id(ev.id, ep.id), ep.id, ev.id, case when ep.enabled then 'pending' else 'held' end,
           case when ep.enabled then (select clock_timestamp()) end, ev.created_at, ev.created_at
      from ev
      join endpoints ep on ep.workspace_id = ` + conn.Either("ev.workspace_id", workspace) + ` and ep.deleted_at is null
       and ep.event_types && array[ev.type, split_part(ev.type, '.', 1) || '.*']
       and (ep.chatbot_ids is null or ev.chatbot_id = any(ep.chatbot_ids))
    returning workspace_id, endpoint_id
), endpoints_to_wake as (
    select workspace_id, id as endpoint_id from endpoints
     where ` + conn.Either("", "workspace_id = "+workspace+" and ") + `(workspace_id, id) in (select workspace_id, endpoint_id from dl)
       and enabled and probe_at is null
)`
}

// InsertLeads writes leads, one row that owes their enrichment, their events and their deliveries in one statement and
// one commit. A lead whose unique key is taken is left out whole. Rows go in one order, so that concurrent batches
// cannot deadlock.
func (db *DB) InsertLeads(ctx context.Context, leads []NewLead) (Inserted, error) {
	return db.InsertLeadsWithin(ctx, leads, 0)
}

// InsertLeadsWithin is InsertLeads that waits for lockWait at most for another transaction that has one of the emails,
// and then is ErrLockTimeout; 0: for as long as all statements of the pool do.
func (db *DB) InsertLeadsWithin(
	ctx context.Context, leads []NewLead, lockWait time.Duration,
) (out Inserted, err error) {
	out.Leads, err = splitBatch(ctx, db, leads, func(l *NewLead) id.UUID { return l.WorkspaceID },
		func(part []NewLead) (results []LeadResult, err error) {
			err = db.withPartitions(ctx, func() error {
				return db.within(ctx, lockWait, func(on conn.Queryer) error {
					done, err := runInsertLeads(ctx, on, part, insertWaits{lock: lockWait})
					results, out.Wake = done.Leads, append(out.Wake, done.Wake...)
					return err
				})
			})
			return results, err
		})
	return out, err
}

// insertLeads inserts leads of which none came by a form, insertSubmitters those of which some did, and the others
// those of which some have a trace: what one statement does costs a lone lead even where there is nothing to do.
//
// Both have arrays of the leads' columns, $12 the events' ids, $13 their data, $14 when enrichment is due, $15 how long
// to wait for a lock; null: as long as before, $16 lead.SuppressionHash of each, $17 when they were updated, of those
// that are older than lateAfter, $18 and $19 their ways and forms, for books, and insertSubmitters from $20 on
// submissionArrays. The traces come last. A suppression is looked up by its key for each lead, whatever the planner
// thinks of their number. "patience" is read before the first row is, and so before any lock is waited for; what it
// sets ends with the transaction, which is the statement where there is no other. It takes the transaction's id, for
// LeadsSince: clock_timestamp() is later.
var (
	insertLeads            = insertLeadsWith(bookLeads, 0)
	insertSubmitters       = insertLeadsWith(bookLeads+`, `+submitLeads, 0)
	insertTraced           = insertLeadsWith(bookLeads, 20)
	insertTracedSubmitters = insertLeadsWith(bookLeads+`, `+submitLeads, 20+submissionArrayCount)
)

// insertFor returns the statement that inserts leads of the request of ctx, none of which comes by a form.
func insertFor(ctx context.Context) string {
	if trace.From(ctx).Kept() {
		return insertTraced
	}
	return insertLeads
}

// insertLeadsWith makes the statement; traces is the parameter that has them, 0: none does.
func insertLeadsWith(rest string, traces int) string {
	var t struct{ array, column, ofEvent, list, lists, join string } // what is said of traces
	if traces > 0 {
		t.array, t.column, t.ofEvent, t.list = `, $`+strconv.Itoa(traces)+`::text[]`, `, trace`, `, i.trace`, `, traces`
		t.lists = `, case when count(trace) > 0 then array_agg(trace order by id) end as traces`
		t.join = ` join input using (workspace_id, id)`
	}
	return `
with patience as materialized (
    select set_config('lock_timeout', coalesce($15, current_setting('lock_timeout')), true), pg_current_xact_id()
), ` + barredOnCitus("$16") + `input as (
    select i.*, ` + suppressedNow + ` as suppressed
      from patience
     cross join unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                       $9::text[], $10::json[], $11::timestamptz[], $12::uuid[], $13::json[], $16::bytea[],
                       $17::timestamptz[], $18::text[], $19::uuid[]` + t.array + `)
      as i (workspace_id, id, chatbot_id, email, email_key, name, phone, source, status, metadata, created_at, event_id, data,
            email_hash, updated_at, way, form_id` + t.column + `)
), ins as (
    insert into leads (workspace_id, id, chatbot_id, email, email_key, name, phone, source, status, metadata,
                       created_at, updated_at)
    select workspace_id, id, chatbot_id, email, email_key, name, phone, source, status, metadata, created_at,
           greatest(created_at, updated_at, clock_timestamp() - ` + settling + `)
      from input
     where suppressed is null
     order by workspace_id, email_key
    on conflict (workspace_id, email_key) do nothing
    returning workspace_id, id, updated_at
), owed as (
    insert into enrichment_queue (workspace_id, due_at, id, leads` + t.list + `)
    select workspace_id, now() + cast($14 as interval), leads[1], leads` + t.list + `
      from (select workspace_id, array_agg(id order by id) as leads` + t.lists + `
              from (select workspace_id, id` + t.column + `,
                           (row_number() over (partition by workspace_id order by id) - 1) / 100 as nth
                      from ins` + t.join + `) i
             group by workspace_id, nth) i
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at` + t.column + `)
    select i.workspace_id, i.event_id, '` + webhook.LeadCreated + `', i.id, i.chatbot_id, i.data, i.created_at` + t.ofEvent + `
      from ins
      join input i using (workspace_id, id)
     where i.event_id is not null
    returning workspace_id, id, type, chatbot_id, created_at
), ` + rest + `, ` + fanOut(workspaceOfBatch) + `
select case when i.suppressed then 'suppressed' when ins.id is null then 'taken' else 'late' end, i.workspace_id, i.id,
       ins.updated_at
  from input i left join ins using (workspace_id, id) where ins.id is null or ins.updated_at > i.created_at
union all
select 'wake', workspace_id, endpoint_id, null from endpoints_to_wake`
}

// insertWaits are what insertLeads waits for.
type insertWaits struct {
	enrich time.Duration // until enrichment is due
	lock   time.Duration // for another transaction at most; 0: as long as the session does
}

// runInsertLeads runs insertLeads, and what has to be looked up besides, on prepared statements.
func runInsertLeads(ctx context.Context, prepared conn.Queryer, leads []NewLead, wait insertWaits) (Inserted, error) {
	taken, suppressed, late := map[id.UUID]bool{}, map[id.UUID]bool{}, map[id.UUID]time.Time{}
	out := Inserted{Leads: make([]LeadResult, len(leads))}
	args := []any{interval(wait.enrich), lockWait(wait.lock), suppressionHashes(leads), updateLate(leads, time.Now())}
	args = append(args, leadWays(leads)...)
	statement, traced := insertLeads, insertTraced
	if came := submissionsOf(leads); len(came) > 0 {
		submissions, err := submissionArrays(came)
		if err != nil {
			return Inserted{}, err
		}
		statement, traced, args = insertSubmitters, insertTracedSubmitters, append(args, submissions...)
	}
	if traces := tracesOf(leads); traces != nil {
		statement, args = traced, append(args, traces)
	}
	err := conn.Each(ctx, prepared, "insert leads", func(row conn.Row) error {
		var what string
		var workspace, which id.UUID
		var updated sql.NullTime
		err := row.Scan(&what, &workspace, &which, &updated)
		switch what {
		case "taken":
			taken[which] = true
		case "suppressed":
			suppressed[which] = true
		case "late":
			late[which] = updated.Time
		case "wake":
			out.Wake = append(out.Wake, EndpointRef{workspace, which})
		}
		return err
	}, statement, append(leadArrays(leads), args...)...)
	if err != nil {
		return Inserted{}, err
	}
	for i := range leads {
		out.Leads[i].Suppressed, out.Leads[i].UpdatedAt = suppressed[leads[i].ID], late[leads[i].ID]
	}
	return out, nameHolders(ctx, prepared, leads, taken, out.Leads)
}

func suppressionHashes(leads []NewLead) []byte {
	c := newColumn(byteas, len(leads))
	for i := range leads {
		c.bytes(lead.SuppressionHash(leads[i].WorkspaceID, leads[i].AddressKey()))
	}
	return c.done()
}

// tracesOf returns the traces of leads; nil: none has one.
func tracesOf(leads []NewLead) any {
	some := false
	for i := range leads {
		some = some || leads[i].Trace.Kept()
	}
	if !some {
		return nil
	}
	c := newColumn(longs, len(leads))
	for i := range leads {
		c.optionalString(leads[i].Trace.Text())
	}
	return c.done()
}

// leadWays returns the ways and the forms of leads.
func leadWays(leads []NewLead) []any {
	ways, forms := newColumn(texts, len(leads)), newColumn(uuids, len(leads))
	for i := range leads {
		ways.optionalString(string(leads[i].Way))
		forms.optionalUUID(leads[i].FormID)
	}
	return arrays(ways, forms)
}

func leadArrays(leads []NewLead) []any {
	c := newColumns(len(leads), uuids, uuids, uuids, texts, texts, texts, texts, texts, texts, jsons, times, uuids, payloads)
	var data []byte
	for i := range leads {
		l := &leads[i]
		c[0].uuid(l.WorkspaceID)
		c[1].uuid(l.ID)
		c[2].optionalUUID(l.ChatbotID)
		c[3].string(l.Email)
		c[4].string(l.UniqueKey)
		c[5].optionalString(l.Name)
		c[6].optionalString(l.Phone)
		c[7].string(l.Source)
		c[8].string(l.Status)
		c[9].bytes(l.Metadata)
		c[10].time(l.CreatedAt)
		c[11].optionalUUID(l.EventID)
		data = l.AppendJSON(data[:0], false)
		c[12].bytes(data)
	}
	return arrays(c...)
}

// leadColumns are the columns of a lead l for scanLead, but for the facts of its enrichment, which come last.
const leadColumns = `
       l.workspace_id, l.id, coalesce(l.chatbot_id, '00000000-0000-0000-0000-000000000000'), coalesce(l.name, ''), l.email, l.email_key,
       coalesce(l.phone, ''), l.source, l.status, l.metadata, l.created_at, l.updated_at, l.deleted_at`

func scanLead(row conn.Row) (l lead.Lead, err error) {
	err = row.Scan(leadTargets(&l)...)
	return l, err
}

// leadTargets has room for two more columns.
func leadTargets(l *lead.Lead) []any {
	return append(make([]any, 0, 16), &l.WorkspaceID, &l.ID, &l.ChatbotID, &l.Name, &l.Email, &l.UniqueKey, &l.Phone,
		&l.Source, &l.Status, &l.Metadata,
		&l.CreatedAt, &l.UpdatedAt, &l.DeletedAt, &l.Enrichment)
}

const getLead = `
select ` + leadColumns + `, e.facts
  from leads l
  left join enrichments e on e.workspace_id = l.workspace_id and e.lead_id = l.id
 where l.workspace_id = (select $1::uuid) and l.id = $2 and `

// GetLead returns a workspace's lead with its enrichment.
func (db *DB) GetLead(ctx context.Context, workspace, leadID id.UUID) (lead.Lead, error) {
	return db.getLead(ctx, workspace, leadID, liveLead)
}

// GetLeadOrDeleted is GetLead also of one that was deleted and can be restored.
func (db *DB) GetLeadOrDeleted(ctx context.Context, workspace, leadID id.UUID) (lead.Lead, error) {
	return db.getLead(ctx, workspace, leadID, `(`+liveLead+` or `+restorableLead+`)`)
}

func (db *DB) getLead(ctx context.Context, workspace, leadID id.UUID, which string) (lead.Lead, error) {
	return conn.One(ctx, db, "get lead", scanLead, lead.NotFoundError(), getLead+which, workspace, leadID)
}
