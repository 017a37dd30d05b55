package pg

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// Erasure is how a lead is erased.
type Erasure struct {
	Suppress      bool                   // its email may not come back
	Note          *tenant.AuditEntry     // its Details become what was erased; nil: it is not audited
	Check         func(*lead.Lead) error // can refuse, before anything is done; nil: nobody does
	OnlyPurgeable bool                   // a lead that can still be restored is NOT_FOUND
	Within        time.Duration          // what takes longer goes on as a job, which workers do; 0: nothing does; needs Note
	Job           *ErasureJob            // whose work it is; nil: it is a request's, or upkeep's
}

// Erased is what was erased of a lead, and what is to be done about it.
type Erased struct {
	Lead        lead.Lead // as it was
	At          time.Time
	ReleasedKey string // see Updated
	Wake        []EndpointRef

	Events     int // about the lead, of which only its id is left
	Deliveries int // of those events that were pending or held, and are cancelled
	Attempts   int // at deliveries of those events, of which the receivers' answers are deleted
	Answers    int // kept for an Idempotency-Key, and deleted
	Reports    int // rows of imports' reports about the lead, and emptied

	Submissions int // of the lead, or of its email and no lead, and deleted

	Running id.UUID // the receipt of the job as which it goes on; zero: it is done
}

// momentAgo is webhook.BeginWithin and, generously, what the commit takes that takes a lease away.
const momentAgo = `interval '5 s'`

// eraseBatch is how many events of a lead one commit erases, with their deliveries and attempts.
const eraseBatch = 500

// EraseLead is the erasure of GDPR, article 17: it removes a lead, deleted before or not, and everything that tells who
// it was; NOT_FOUND when there is none. What stays is that there was something: ids, times, counts. All of it is one
// commit, with the audit and the lead.deleted event; but an email that is to be suppressed is so before, and where the
// lead has more than eraseBatch events, these go first, batch by batch. What an erasure that breaks off has done stays
// done, and the next one goes on. Where it becomes a job, the lead is deleted, and a worker erases what is left.
//
// It returns when no worker begins to send any more what it has of the lead in memory: webhook.BeginWithin later where
// one was at it. An attempt that is under way by then arrives all the same. A purge returns at once: nobody is told.
func (db *DB) EraseLead(ctx context.Context, workspace, leadID id.UUID, how Erasure) (_ Erased, err error) {
	if how.Job != nil {
		span := db.tracer.Continue(how.Job.Trace, "erase lead", trace.Consumer)
		defer func() { endErasing(span, how.Job, err) }()
		ctx = trace.With(ctx, span)
	}
	e := erasing{Erasure: how, workspace: workspace, lead: leadID}
	begin := time.Now()
	for more := true; more; {
		step := (*erasing).step
		if e.after != (id.UUID{}) && how.Within > 0 && time.Since(begin) > how.Within {
			step = (*erasing).handOver
		}
		if more, err = db.commitErasing(ctx, &e, step); err != nil {
			return Erased{}, err
		}
	}
	if e.halted && !e.OnlyPurgeable {
		select {
		case <-time.After(webhook.BeginWithin):
		case <-ctx.Done(): // it is erased all the same
		}
	}
	return e.Erased, nil
}

// events erases the next batch of events, with their deliveries and attempts; more: there may be others. They are read
// once, in the order of their ids, and at the end those are looked for that were late, by a clock that is behind.
func (e *erasing) events(ctx context.Context, tx *sqlx.Tx) (more bool, err error) {
	const next = `
select id from events
 where workspace_id = (select $1::uuid) and lead_id between $2 and $2 and id > $3 and data::text <> $4
 order by lead_id, id limit $5`
	erased := string(e.Lead.AppendErased(nil))
	find := func(after id.UUID, limit int) ([]id.UUID, error) {
		return conn.Collect(ctx, tx, "erase events", conn.Value[id.UUID], next, e.workspace, e.lead, after, erased, limit)
	}
	first := e.after == id.UUID{}
	batch, err := find(e.after, eraseBatch)
	if err != nil {
		return false, err
	}
	if len(batch) == eraseBatch {
		more, e.after = true, batch[len(batch)-1]
	} else if !first {
		if batch, err = find(id.UUID{}, 2*eraseBatch); err != nil {
			return false, err
		}
		more = len(batch) == 2*eraseBatch
	}
	if len(batch) == 0 {
		return false, nil
	}
	events := idArray(batch)
	n, err := conn.Exec(ctx, tx, "erase events", eraseEvents, e.workspace, events, erased)
	e.Events += n
	if err == nil {
		var halted []bool
		halted, err = conn.Collect(ctx, tx, "halt drains", conn.Value[bool], haltDrains, e.workspace, events, id.New())
		e.halted = e.halted || slices.Contains(halted, true)
	}
	if err == nil {
		n, err = conn.Exec(ctx, tx, "erase deliveries", eraseDeliveries, e.workspace, events)
		e.Deliveries += n
	}
	if err == nil {
		n, err = conn.Exec(ctx, tx, "erase attempts", eraseAttempts, e.workspace, events)
		e.Attempts += n
	}
	return more, err
}

// $1 is the workspace and $2 the events. Deliveries are found by the range of ids that their event gives them, and
// locked in the order in which drains lock them. Each row is found by its key, as README.md has it of an insert that is
// an update. $3 is what is left of an event's data.
var (
	eraseEvents = `
insert into events (workspace_id, id, type, data, created_at)
select $1, v.id, v.type, cast($3 as json), v.created_at
  from unnest($2::uuid[]) l (id)
 cross join lateral (
    select id, type, created_at from events where workspace_id = $1 and id between l.id and l.id order by id limit 1) v
    on conflict (workspace_id, id) do update set data = excluded.data, trace = null`

	// haltDrains takes the leases of the endpoints away that the deliveries wait for: a drain may have leased them
	// before, or be about to, with what it read before. So the token, $3, is another one than any lease has seen, also
	// where there was none. A row says whether the lease was alive, or was taken away a moment ago, as another erasure and
	// a change of the endpoint do: its drain may begin until then all the same. Events are locked before, as what sends a
	// delivery again locks them, and deliveries after, as drains lock them.
	haltDrains = `
with waiting as materialized (
    select o.endpoint_id
      from unnest($2::uuid[]) v (id)
     cross join lateral (
        select d.endpoint_id, d.state, d.updated_at from deliveries d
         where d.workspace_id = $1 and d.event_id = v.id and d.id between ` + floorOf("v.id") + ` and ` + ceilOf("v.id") + `
         order by d.id offset 0) o
     where o.state = '` + string(webhook.Pending) + `'
        or o.state in ('` + string(webhook.Held) + `', '` + string(webhook.Cancelled) + `') and o.updated_at > now() - ` + momentAgo + `
), concerned as materialized (
    select id, coalesce(drain_until > now(),
                        greatest(drain_token, uuid_floor(updated_at)) > uuid_floor(now() - ` + momentAgo + `)) as alive
      from endpoints
     where workspace_id = $1 and id = any(array(select endpoint_id from waiting))
     order by id
       for no key update
)
update endpoints e set drain_token = $3, drain_until = null
  from concerned c
 where e.workspace_id = $1 and e.id = c.id
returning c.alive`

	eraseDeliveries = `
with owed as materialized (
    select o.*
      from unnest($2::uuid[]) v (id)
     cross join lateral (
        select d.id, d.endpoint_id, d.event_id, d.created_at from deliveries d
         where d.workspace_id = $1 and d.event_id = v.id and d.id between ` + floorOf("v.id") + ` and ` + ceilOf("v.id") + `
           and d.state in ('` + string(webhook.Pending) + `', '` + string(webhook.Held) + `')
         order by d.id
           for update
        offset 0) o
)
insert into deliveries (workspace_id, id, endpoint_id, event_id, state, created_at, updated_at)
select $1, id, endpoint_id, event_id, '` + string(webhook.Cancelled) + `', created_at, now() from owed
    on conflict (workspace_id, id) do update set state = excluded.state, next_at = null, updated_at = excluded.updated_at`

	// eraseAttempts deletes the answers to batches too in which the events were: they may tell of any of them.
	eraseAttempts = `
with answered as materialized (
    select f.*
      from (select distinct a.*
              from unnest($2::uuid[]) v (id)
             cross join lateral (
                select d.id from deliveries d
                 where d.workspace_id = $1 and d.event_id = v.id and d.id between ` + floorOf("v.id") + ` and ` + ceilOf("v.id") + `
                 order by d.id offset 0) o
             cross join lateral (
                select coalesce(batch_first, delivery_id) as delivery_id, id from attempts
                 where workspace_id = $1 and delivery_id = o.id and (response_head is not null or batch_first is not null)
                 order by id offset 0) a) a
     cross join lateral (
        select delivery_id, id, number, latency_ms, created_at from attempts
         where workspace_id = $1 and delivery_id = a.delivery_id and id between a.id and a.id and response_head is not null
         order by id limit 1) f
     order by f.delivery_id, f.id
)
insert into attempts (workspace_id, delivery_id, id, number, latency_ms, created_at)
select $1, delivery_id, id, number, latency_ms, created_at from answered
    on conflict (workspace_id, delivery_id, id) do update set response_head = null`
)

// end erases the lead itself, and what tells of it beside its events.
func (e *erasing) end(ctx context.Context, tx *sqlx.Tx) error {
	const (
		deleteEnrichment = `delete from enrichments where workspace_id = $1 and lead_id = $2`
		deleteLead       = `delete from leads where workspace_id = (select $1::uuid) and id = $2`
	)
	e.ReleasedKey = reservedKey(&e.Lead)
	made, err := requestsOf(ctx, tx, e.workspace, e.lead)
	if err == nil {
		_, err = conn.Exec(ctx, tx, "erase lead", deleteEnrichment, e.workspace, e.lead)
	}
	if err == nil {
		_, err = conn.Exec(ctx, tx, "erase lead", deleteLead, e.workspace, e.lead)
	}
	if err == nil {
		e.Answers, err = conn.Exec(ctx, tx, "erase answers", eraseAnswers, e.workspace, e.lead, idArray(append(made, e.lead)))
	}
	if err == nil {
		e.Reports, err = conn.Exec(ctx, tx, "erase reports", eraseReports, e.workspace, e.lead)
	}
	if err == nil {
		e.Wake, err = emitErased(ctx, tx, &e.Erased)
	}
	if err == nil && e.Note != nil {
		e.Note.Details, e.Note.CreatedAt = e.Details(e.Suppress), e.At
		err = insertAudit(ctx, tx, e.Note)
	}
	if err == nil {
		err = e.endJob(ctx, tx)
	}
	return err
}

// Details are what is answered and kept of an erasure.
func (e *Erased) Details(suppressed bool) map[string]any {
	return map[string]any{"leads": 1, "events": e.Events, "deliveries": e.Deliveries, "attempts": e.Attempts,
		"answers": e.Answers, "submissions": e.Submissions,
		"reports": e.Reports, "suppressed": suppressed}
}

// emitErased writes the last event of a lead.
func emitErased(ctx context.Context, tx *sqlx.Tx, e *Erased) ([]EndpointRef, error) {
	// $1 workspace, $2 lead, $3 event, $4 chatbot, $5 data, $6 when it happened, $7 its trace
	q := `
with ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at, trace)
    values ($1, $3, '` + webhook.LeadDeleted + `', $2, $4, $5, $6, nullif($7, ''))
    returning workspace_id, id, type, chatbot_id, created_at
), ` + fanOut("$1") + `
select workspace_id, endpoint_id from endpoints_to_wake`
	l := &e.Lead
	return conn.Collect(ctx, tx, "emit erased lead", scanRef, q, l.WorkspaceID, l.ID, id.New(),
		optionalID(l.ChatbotID), string(l.AppendDeleted(nil, e.At, true)), e.At, trace.From(ctx).Text())
}

// eraseAnswers empties kept answers that tell of a lead. A request that made it, alone or as one of many ($3), and was
// never answered counts as answered: it is not to be made again.
const eraseAnswers = `
with found as materialized (
    select k.workspace_id, k.key_hash
      from unnest($3::uuid[]) m (id)
     cross join lateral (
        select workspace_id, key_hash from idempotency where workspace_id = $1 and id between m.id and m.id order by id offset 0) k
     union
    select k.workspace_id, k.key_hash
      from (select workspace_id, key_hash from idempotency where leads is not null and leads @> array[$2::uuid] offset 0) k
     where k.workspace_id = $1
)
update idempotency d set body = null, headers = null, status = coalesce(d.status, 201)
  from found f
 where d.workspace_id = f.workspace_id and d.key_hash = f.key_hash
   and (d.body is not null or d.status is null and d.id = any($3::uuid[]))`

// eraseReports empties rows of imports' reports. One that is being written waits for the lead's lock, and finds the
// lead gone.
const eraseReports = `
update import_errors set value = null, message = '` + leadfile.ErasedLead + `', lead_id = null where workspace_id = $1 and lead_id = $2`

// maxDerived is how many leads a request with an Idempotency-Key can make.
const maxDerived = lead.MaxBatch

// requestsOf returns the unanswered requests with an Idempotency-Key that made the lead, if it was one of many: such a
// lead's id is derived from the request's, and of the same millisecond.
func requestsOf(ctx context.Context, tx *sqlx.Tx, workspace, made id.UUID) (requests []id.UUID, err error) {
	const q = `select id from idempotency where workspace_id = $1 and id >= $2 and id < $3 and status is null`
	at := id.Time(made)
	all, err := conn.Collect(ctx, tx, "find unanswered requests", conn.Value[id.UUID], q, workspace, uuidFloor(at),
		uuidFloor(at.Add(time.Millisecond)))
	for _, request := range all {
		for n := range maxDerived {
			if id.Derive(request, n) == made {
				requests = append(requests, request)
				break
			}
		}
	}
	return requests, err
}
