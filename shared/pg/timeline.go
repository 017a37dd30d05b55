package pg

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/webhook"
)

// Story is what is kept of a lead, each list oldest first.
type Story struct {
	Lead       lead.Lead
	Enrichment *EnrichmentState // nil: none was ever owed
	Events     []Event
	Deliveries []webhook.Delivery
	Attempts   []webhook.Attempt // without ResponseHead
	Endpoints  map[id.UUID]StoryEndpoint
	Cut        bool // there is more of one of the lists
}

// EnrichmentState is how far a lead's enrichment is.
type EnrichmentState struct {
	Attempts int
	DueAt    *time.Time // nil: nothing is owed any more
	DoneAt   *time.Time // nil: no facts were found
}

// StoryEndpoint is an endpoint of a lead's deliveries.
type StoryEndpoint struct {
	webhook.Endpoint
	Deleted    bool
	PacedUntil *time.Time // its rate allows nothing before
	LeaseUntil *time.Time // a worker sends to it until then at most
	First      id.UUID    // its pending delivery that is due first; zero: none waits
	FirstAt    *time.Time
}

// LeadStory reads up to limit of a lead's events, deliveries and attempts each. NOT_FOUND when there is no such lead.
func (db *DB) LeadStory(ctx context.Context, workspace, leadID id.UUID, limit int) (s Story, err error) {
	if s.Lead, err = db.GetLead(ctx, workspace, leadID); err != nil {
		return s, err
	}
	if s.Enrichment, err = db.enrichmentState(ctx, workspace, leadID); err != nil {
		return s, err
	}
	if s.Events, err = db.leadEvents(ctx, workspace, leadID, limit+1); err != nil {
		return s, err
	}
	if s.Deliveries, err = db.leadDeliveries(ctx, workspace, leadID, limit+1); err != nil {
		return s, err
	}
	if s.Attempts, err = db.firstAttempts(ctx, workspace, s.Deliveries, limit+1); err != nil {
		return s, err
	}
	s.Cut = max(len(s.Events), len(s.Deliveries), len(s.Attempts)) > limit
	s.Endpoints, err = db.storyEndpoints(ctx, workspace, s.Deliveries)
	return s, err
}

func (db *DB) enrichmentState(ctx context.Context, workspace, leadID id.UUID) (*EnrichmentState, error) {
	const q = `select attempts, due_at, enriched_at from enrichments where workspace_id = $1 and lead_id = $2`
	var e EnrichmentState
	err := db.QueryRowContext(ctx, q, workspace, leadID).Scan(&e.Attempts, &e.DueAt, &e.DoneAt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &e, fail(ctx, "read enrichment", err)
}

func (db *DB) leadEvents(ctx context.Context, workspace, leadID id.UUID, limit int) (all []Event, err error) {
	const q = `select ` + eventColumns + ` from events v where v.workspace_id = $1 and v.lead_id = $2 order by v.id limit $3`
	rows, err := db.QueryContext(ctx, q, workspace, leadID, limit)
	if err != nil {
		return nil, fail(ctx, "read a lead's events", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scanEvent(rows)
		if err != nil {
			return nil, fail(ctx, "read a lead's events", err)
		}
		all = append(all, e)
	}
	return all, fail(ctx, "read a lead's events", rows.Err())
}

func (db *DB) leadDeliveries(ctx context.Context, workspace, leadID id.UUID, limit int) ([]webhook.Delivery, error) {
	q := `
select ` + deliveryColumns + `
  from (select d.* from (select id from events where workspace_id = $1 and lead_id = $2 order by id limit $3) v
         cross join lateral (
            select * from deliveries d
             where d.workspace_id = $1 and d.event_id = v.id and d.id between ` + floorOf("v.id") + ` and ` + ceilOf("v.id") + `
            offset 0) d
         order by d.id limit $3) d ` + deliveryJoins + `
 order by d.id`
	return db.deliveries(ctx, q, workspace, leadID, limit)
}

func (db *DB) firstAttempts(ctx context.Context, workspace id.UUID, deliveries []webhook.Delivery, limit int) ([]webhook.Attempt, error) {
	const q = `
select delivery_id, id, number, coalesce(status, 0), coalesce(error, ''), '', latency_ms, created_at
  from attempts where workspace_id = $1 and delivery_id = any($2::uuid[]) order by id limit $3`
	ids := make([]id.UUID, len(deliveries))
	for i := range deliveries {
		ids[i] = deliveries[i].ID
	}
	return db.attempts(ctx, q, workspace, idArray(ids), limit)
}

func (db *DB) storyEndpoints(ctx context.Context, workspace id.UUID, deliveries []webhook.Delivery) (map[id.UUID]StoryEndpoint, error) {
	const q = `
select e.id, e.url, e.max_in_flight, e.enabled, e.disabled_at, coalesce(e.disabled_reason, ''), e.deleted_at is not null,
       coalesce(e.rate, 0), e.paced_until, e.drain_until, coalesce(f.id, '00000000-0000-0000-0000-000000000000'), f.next_at, ` + healthColumns + `
  from endpoints e
  left join lateral (
    select id, next_at from deliveries where workspace_id = $1 and endpoint_id = e.id and state = 'pending' order by next_at, id limit 1) f on true
 where e.workspace_id = $1 and e.id = any($2::uuid[])`
	all := map[id.UUID]StoryEndpoint{}
	var ids []id.UUID
	for _, d := range deliveries {
		if _, seen := all[d.EndpointID]; !seen {
			all[d.EndpointID] = StoryEndpoint{Deleted: true} // unless it is found
			ids = append(ids, d.EndpointID)
		}
	}
	rows, err := db.QueryContext(ctx, q, workspace, idArray(ids))
	if err != nil {
		return nil, fail(ctx, "read a lead's endpoints", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e StoryEndpoint
		var disabled sql.NullTime
		var reason string
		targets := []any{&e.ID, &e.URL, &e.MaxInFlight, &e.Enabled, &disabled, &reason, &e.Deleted,
			&e.Rate, &e.PacedUntil, &e.LeaseUntil, &e.First, &e.FirstAt}
		if err := rows.Scan(append(targets, healthTargets(&e.Health)...)...); err != nil {
			return nil, fail(ctx, "read a lead's endpoints", err)
		}
		if disabled.Valid {
			e.Disabled = &webhook.Disabled{At: disabled.Time, Reason: reason}
		}
		all[e.ID] = e
	}
	return all, fail(ctx, "read a lead's endpoints", rows.Err())
}
