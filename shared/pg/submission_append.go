package pg

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// AppendSubmission keeps a submission with the lead that has its email, which change fills in or, where the outcome is
// updated, changes. The lead, lead.updated where change altered it, the submission, its place in books and, where the
// outcome is appended, lead.submitted are one commit. NOT_FOUND: there is no such lead, change says that it has another
// email, or that may not come back: no lead is to be found by it.
func (db *DB) AppendSubmission(ctx context.Context, s lead.Submission, change func(*lead.Lead) error) (u Updated,
	err error) {
	a := updating(change)
	a.after = func(ctx context.Context, tx *sqlx.Tx, u *Updated, now time.Time) error {
		wake, suppressed, err := keepSubmissions(ctx, tx, []keeping{{s, &u.Lead, now, trace.From(ctx)}})
		if err == nil && len(suppressed) > 0 {
			return lead.NotFoundError()
		}
		u.addWake(wake)
		return err
	}
	return db.alterLead(ctx, s.WorkspaceID, s.LeadID, a)
}

// Append is a submission to keep with a lead that has its email, and what that lead is to become.
type Append struct {
	lead.Submission
	Change func(*lead.Lead) error
	Trace  *trace.Span // of the request that it came with; nil: nobody follows that
}

// AppendSubmissions is AppendSubmission of many in one commit, as far as their leads stay as they are and nobody else
// has them locked. The others are left for AppendSubmission: done says which are kept. wake are endpoints that got
// deliveries.
func (db *DB) AppendSubmissions(ctx context.Context, all []Append) (done []bool, wake []EndpointRef, err error) {
	workspace := func(a *Append) id.UUID { return a.WorkspaceID }
	done, err = splitBatch(ctx, db, all, workspace, func(part []Append) ([]bool, error) {
		done, woken, err := db.appendSubmissions(ctx, part)
		wake = append(wake, woken...)
		return done, err
	})
	return done, wake, err
}

func (db *DB) appendSubmissions(ctx context.Context, all []Append) (done []bool, wake []EndpointRef, err error) {
	err = db.withPartitions(ctx, func() error {
		return db.InTx(ctx, func(tx *sqlx.Tx) error {
			done = make([]bool, len(all))
			leads, now, err := lockFreeLeads(ctx, tx, all)
			if err != nil {
				return err
			}
			var keep []keeping
			for i := range all {
				l := leads[[2]id.UUID{all[i].WorkspaceID, all[i].LeadID}]
				if l == nil {
					continue
				}
				changed := *l
				if all[i].Change(&changed) != nil || lead.Differs(&changed, l) {
					continue
				}
				keep, done[i] = append(keep, keeping{all[i].Submission, l, now, all[i].Trace}), true
			}
			if len(keep) == 0 {
				return nil
			}
			var suppressed map[id.UUID]bool
			wake, suppressed, err = keepSubmissions(ctx, tx, keep)
			for i := range all {
				done[i] = done[i] && !suppressed[all[i].ID]
			}
			return err
		})
	})
	return done, wake, err
}

// lockFreeLeads locks those leads of submissions that nobody has locked, and returns them and what time it is then.
// What enrichment has just found out is seen by a second statement. A key of the map is workspace and lead.
func lockFreeLeads(ctx context.Context, tx *sqlx.Tx, all []Append) (map[[2]id.UUID]*lead.Lead, time.Time, error) {
	q := `
with want as materialized (
    select distinct workspace_id, lead_id from unnest($1::uuid[], $2::uuid[]) as w (workspace_id, lead_id)
), l as materialized (
    select l.* from want w cross join lateral (
        select * from leads l
         where l.workspace_id = ` + batchWorkspace("w.workspace_id") + ` and l.id = w.lead_id and l.deleted_at is null
         order by l.workspace_id, l.id limit 1 for update skip locked) l
)
select ` + leadColumns + `, null, clock_timestamp() from l`
	facts := `
select e.workspace_id, e.lead_id, e.facts
  from unnest($1::uuid[], $2::uuid[]) as w (workspace_id, lead_id)
 cross join lateral (
    select workspace_id, lead_id, facts from enrichments
     where workspace_id = ` + batchWorkspace("w.workspace_id") + ` and lead_id = w.lead_id
     order by workspace_id, lead_id limit 1) e`
	workspaces, leads := newColumn(uuids, len(all)), newColumn(uuids, len(all))
	for i := range all {
		workspaces.uuid(all[i].WorkspaceID)
		leads.uuid(all[i].LeadID)
	}
	var now time.Time
	found := map[[2]id.UUID]*lead.Lead{}
	err := conn.Each(ctx, tx, "lock leads", func(row conn.Row) error {
		l := &lead.Lead{}
		if err := row.Scan(append(leadTargets(l), &now)...); err != nil {
			return err
		}
		found[[2]id.UUID{l.WorkspaceID, l.ID}] = l
		return nil
	}, q, workspaces.done(), leads.done())
	if err != nil || len(found) == 0 {
		return nil, now, err
	}
	err = conn.Each(ctx, tx, "read facts", func(row conn.Row) error {
		var key [2]id.UUID
		var known []byte
		err := row.Scan(&key[0], &key[1], &known)
		if l := found[key]; l != nil {
			l.Enrichment = known
		}
		return err
	}, facts, workspaces.done(), leads.done())
	return found, now, err
}

// keeping is a submission of a lead that is locked since now.
type keeping struct {
	lead.Submission
	lead  *lead.Lead
	now   time.Time
	trace *trace.Span
}

// keepSubmissions writes submissions, their places in books, and the events that tell of them. It returns the endpoints
// that got deliveries, and which submissions are not kept, because their email may not come back.
func keepSubmissions(ctx context.Context, tx *sqlx.Tx, all []keeping) (wake []EndpointRef,
	suppressed map[id.UUID]bool, err error) {
	// $20 events; null: there is none, $21 their chatbots, $22 data, $23 when they happened, $24 outcomes for books,
	// $25 lead.SuppressionHash, $26 the events' traces, $27 their type
	var q = `
with ` + barredOnCitus("$25") + `given as materialized (
    select i.*, coalesce(` + suppressedNow + `, false) as suppressed
      from unnest(` + submissionParams + `, $20::uuid[], $21::uuid[], $22::json[], $23::timestamptz[], $24::text[], $25::bytea[],
                   $26::text[])
           as i (` + submissionColumns + `, event_id, event_chatbot, event_data, event_at, book, email_hash,
                 trace)
), came as materialized (
    select * from given where not suppressed
), sub as (
    insert into submissions (` + submissionColumns + `) select ` + submissionColumns + ` from came
    on conflict (workspace_id, id) do nothing
    returning workspace_id, id
), kept as materialized (
    select c.* from came c join sub s on s.workspace_id = c.workspace_id and s.id = c.id
), book as (
    insert into book_entries (workspace_id, day, way, form_id, outcome, n)
    select workspace_id, cast(created_at at time zone 'UTC' as date), '` + string(tenant.WayForm) + `', form_id, o.outcome, 1
      from kept cross join lateral (values ('` + string(tenant.BookReceived) + `'), (book)) o (outcome)
), ev as (
    insert into events (workspace_id, id, type, lead_id, chatbot_id, data, created_at, trace)
    select workspace_id, event_id, cast($27 as text), lead_id, event_chatbot, event_data, event_at, trace
      from kept where event_id is not null
    returning workspace_id, id, type, chatbot_id, created_at
), ` + fanOut(workspaceOfBatch) + `
select workspace_id, endpoint_id, false from endpoints_to_wake
union all
select workspace_id, id, true from given where suppressed`
	args, err := keepArrays(all)
	if err != nil {
		return nil, nil, err
	}
	err = conn.Each(ctx, tx, "keep submission", func(row conn.Row) error {
		var r EndpointRef
		var isSubmission bool
		if err := row.Scan(&r.Workspace, &r.Endpoint, &isSubmission); err != nil {
			return err
		}
		if !isSubmission {
			wake = append(wake, r)
			return nil
		}
		if suppressed == nil {
			suppressed = map[id.UUID]bool{}
		}
		suppressed[r.Endpoint] = true
		return nil
	}, q, append(args, webhook.LeadSubmitted)...)
	return wake, suppressed, err
}

// keepArrays are the parameters of keepSubmissions.
func keepArrays(all []keeping) ([]any, error) {
	subs := make([]lead.Submission, len(all))
	event, chatbot, data := newColumn(uuids, len(all)), newColumn(uuids, len(all)), newColumn(payloads, len(all))
	at, book, hash := newColumn(times, len(all)), newColumn(texts, len(all)), newColumn(byteas, len(all))
	traces := newColumn(longs, len(all))
	for i := range all {
		k := &all[i]
		subs[i] = k.Submission
		subs[i].LeadID = k.lead.ID
		if k.Outcome == lead.OutcomeAppended {
			event.uuid(id.New())
			data.bytes(k.lead.AppendSubmitted(nil, &subs[i]))
		} else {
			event.null()
			data.null()
		}
		chatbot.optionalUUID(k.lead.ChatbotID)
		at.time(later(k.now, k.lead.UpdatedAt))
		book.string(string(bookOutcome(k.Outcome)))
		hash.bytes(lead.SuppressionHash(k.WorkspaceID, k.EmailKey))
		traces.optionalString(k.trace.Text())
	}
	args, err := submissionArrays(subs)
	return append(args, arrays(event, chatbot, data, at, book, hash, traces)...), err
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// addWake adds endpoints that got deliveries.
func (u *Updated) addWake(wake []EndpointRef) {
	for _, w := range wake {
		if !slices.Contains(u.Wake, w) {
			u.Wake = append(u.Wake, w)
		}
	}
}
