package pg

import (
	"context"
	"database/sql"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg/conn"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// Timeline is what is kept of a lead, each list oldest first.
type Timeline struct {
	Lead        lead.Lead
	Submissions []lead.Submission // without what was typed
	Touches     Touches
	Enrichment  *EnrichmentState // nil: there never was any
	Events      []TimelineEvent
	Deliveries  []webhook.Delivery
	Attempts    []webhook.Attempt // without ResponseHead
	Endpoints   map[id.UUID]TimelineEndpoint
	Truncated   bool // there is more of one of the lists, but for that of submissions

	MoreSubmissions bool
}

// TimelineEvent is an event of a lead.
type TimelineEvent struct {
	Event
	Submission id.UUID // of which it tells; zero: of none
	TraceID    string  // "": nobody follows it
}

// EnrichmentState is how far a lead's enrichment is.
type EnrichmentState struct {
	Attempts int
	DueAt    *time.Time // nil: nothing is pending
	DoneAt   *time.Time // nil: no facts were found
}

// TimelineEndpoint is an endpoint of a lead's deliveries.
type TimelineEndpoint struct {
	webhook.Endpoint
	Deleted    bool
	PacedUntil *time.Time // its rate allows nothing before
	LeaseUntil *time.Time // a worker sends to it until then at most
	First      id.UUID    // its pending delivery that is due first; zero: none waits
	FirstAt    *time.Time
}

// LeadTimeline reads up to limit of the events, deliveries and attempts of a lead that was found, and up to submissions
// of what forms received of it.
func (db *DB) LeadTimeline(ctx context.Context, l lead.Lead, limit, submissions int) (t Timeline, err error) {
	workspace, leadID := l.WorkspaceID, l.ID
	t.Lead = l
	if err = db.timelineSubmissions(ctx, &t, submissions); err != nil {
		return t, err
	}
	if t.Enrichment, err = db.enrichmentState(ctx, &t.Lead); err != nil {
		return t, err
	}
	// A delivery must not be shown as one that waits above the attempt that delivered it.
	err = db.InSnapshot(ctx, func(tx *sqlx.Tx) (err error) {
		if t.Events, err = eventsOfLead(ctx, tx, workspace, leadID, limit+1); err != nil {
			return err
		}
		if t.Deliveries, err = deliveriesOfLead(ctx, tx, workspace, leadID, limit+1); err != nil {
			return err
		}
		if t.Attempts, err = firstAttempts(ctx, tx, workspace, t.Deliveries, limit+1); err != nil {
			return err
		}
		t.Endpoints, err = timelineEndpoints(ctx, tx, workspace, t.Deliveries)
		return err
	})
	t.Truncated = max(len(t.Events), len(t.Deliveries), len(t.Attempts)) > limit
	return t, err
}

// enrichmentState is how far the enrichment of a lead is; nil: it ended with the lead.
func (db *DB) enrichmentState(ctx context.Context, l *lead.Lead) (*EnrichmentState, error) {
	const q = `select attempts, due_at, enriched_at from enrichments where workspace_id = (select $1::uuid) and lead_id = $2`
	e, ok, err := conn.Find(ctx, db, "read enrichment", func(row conn.Row) (*EnrichmentState, error) {
		var e EnrichmentState
		return &e, row.Scan(&e.Attempts, &e.DueAt, &e.DoneAt)
	}, q, l.WorkspaceID, l.ID)
	if err == nil && !ok && l.DeletedAt == nil { // it is in the queue, since it came
		e = &EnrichmentState{DueAt: &l.CreatedAt}
	}
	return e, err
}

func (db *DB) timelineSubmissions(ctx context.Context, t *Timeline, limit int) (err error) {
	all, err := db.leadSubmissions(ctx, t.Lead.WorkspaceID, t.Lead.ID, limit+1)
	if err != nil || len(all) == 0 {
		return err
	}
	t.Submissions, t.Touches = all, Touches{&all[0], &all[len(all)-1]}
	if len(all) > limit {
		t.Submissions, t.MoreSubmissions = all[:limit], true
		t.Touches, err = db.LeadTouches(ctx, t.Lead.WorkspaceID, t.Lead.ID)
	}
	return err
}

func eventsOfLead(ctx context.Context, on conn.Queryer, workspace, leadID id.UUID, limit int) (all []TimelineEvent, err error) {
	const q = `
select ` + eventColumns + `,
       coalesce(case when v.type in ('` + webhook.LeadSubmitted + `', '` + webhook.LeadMarkedSpam + `') then v.data #>> '{submission,id}' end, ''),
       coalesce(v.trace, '')
  from events v
 where v.workspace_id = (select $1::uuid) and v.lead_id between $2 and $2
 order by v.lead_id, v.id limit $3`
	scan := func(row conn.Row) (e TimelineEvent, err error) {
		var about, kept string
		if e.Event, err = scanEvent(row, &about, &kept); err == nil && about != "" {
			e.Submission, err = id.Submission.Parse(about)
		}
		e.TraceID = trace.ID(kept)
		return e, err
	}
	return conn.Collect(ctx, on, "read lead events", scan, q, workspace, leadID, limit)
}

func deliveriesOfLead(ctx context.Context, on conn.Queryer, workspace, leadID id.UUID, limit int) ([]webhook.Delivery,
	error) {
	q := `
select ` + deliveryColumns + `
  from (select d.*
          from (select id from events
                 where workspace_id = (select $1::uuid) and lead_id between $2 and $2
                 order by lead_id, id limit $3) v
         cross join lateral (
            select * from deliveries d
             where d.workspace_id = $1 and d.event_id = v.id and d.id between ` + floorOf("v.id") + ` and ` + ceilOf("v.id") + `
             order by d.id offset 0) d
         order by d.id
         limit $3) d ` + deliveryJoins + `
 order by d.id`
	return deliveries(ctx, on, q, workspace, leadID, limit)
}

func firstAttempts(ctx context.Context, on conn.Queryer, workspace id.UUID, deliveries []webhook.Delivery, limit int) ([]webhook.Attempt, error) {
	const q = `
select ` + attemptColumns + `, ''
  from unnest($2::uuid[]) d (id)
 cross join lateral (
    select * from attempts where workspace_id = $1 and delivery_id = d.id order by id limit $3) a
 order by a.id
 limit $3`
	ids := make([]id.UUID, len(deliveries))
	for i := range deliveries {
		ids[i] = deliveries[i].ID
	}
	return attempts(ctx, on, q, workspace, idArray(ids), limit)
}

func timelineEndpoints(ctx context.Context, on conn.Queryer, workspace id.UUID, deliveries []webhook.Delivery) (
	map[id.UUID]TimelineEndpoint, error) {
	const q = `
select e.id, e.url, e.max_in_flight, e.enabled, e.disabled_at, coalesce(e.disabled_reason, ''), e.deleted_at is not null,
       coalesce(e.rate, 0), e.paced_until, e.drain_until, coalesce(f.id, '00000000-0000-0000-0000-000000000000'), f.next_at,
       ` + healthColumns + `
  from endpoints e
  left join lateral (
    select id, next_at from deliveries cross join ` + dearToSort + `
     where workspace_id = $1 and endpoint_id = e.id and state = 'pending'
     order by next_at, id
     limit 1) f on true
 where e.workspace_id = $1 and e.id = any($2::uuid[])`
	all := map[id.UUID]TimelineEndpoint{}
	var ids []id.UUID
	for _, d := range deliveries {
		if _, seen := all[d.EndpointID]; !seen {
			all[d.EndpointID] = TimelineEndpoint{Deleted: true} // unless it is found
			ids = append(ids, d.EndpointID)
		}
	}
	err := conn.Each(ctx, on, "read timeline endpoints", func(row conn.Row) error {
		var e TimelineEndpoint
		var disabled sql.NullTime
		var reason string
		targets := []any{&e.ID, &e.URL, &e.MaxInFlight, &e.Enabled, &disabled, &reason, &e.Deleted,
			&e.Rate, &e.PacedUntil, &e.LeaseUntil, &e.First, &e.FirstAt}
		err := row.Scan(append(targets, healthTargets(&e.Health)...)...)
		if disabled.Valid {
			e.Disabled = &webhook.Disabled{At: disabled.Time, Reason: reason}
		}
		all[e.ID] = e
		return err
	}, q, workspace, idArray(ids))
	return all, err
}
