package pg

import (
	"context"
	"encoding/json"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// LeaseRequest asks for an endpoint's due deliveries on behalf of Token.
type LeaseRequest struct {
	Workspace id.UUID
	Endpoint  id.UUID
	Token     id.UUID       // who takes
	Lease     time.Duration // for how long nobody else may take
	Limit     int
	Mode      LeaseMode
	Now       time.Time // zero: the database's clock
}

// LeaseMode says what the breaker and the schedule have to say.
type LeaseMode int

// The modes.
const (
	LeaseForDrain LeaseMode = iota // what is due, while the breaker is closed
	LeaseForProbe                  // what is due, though the breaker may be open: its pause must be over
	LeaseNow                       // whatever waits, breaker or not, because somebody asked
)

// LeasedBatch is what was taken: an endpoint as it is now and some of its due deliveries, oldest first.
type LeasedBatch struct {
	Endpoint   webhook.Endpoint
	Schedule   webhook.Schedule // the workspace's own; nil: it has none
	PacedUntil time.Time        // the endpoint's rate allows nothing before; zero: it does
	Jobs       []webhook.Job
}

// leaseQuery leases the endpoint and reads what is due, in one statement. The endpoint comes with the first row only.
// "seen" is the endpoint as the snapshot has it. Whoever waited for another taker's row lock finds the row changed and gets nothing,
// because its list of due deliveries is as old as its snapshot.
func leaseQuery(due, breaker string) string {
	return `
with due as materialized (
    select d.id, d.event_id, d.attempts, d.tries, d.next_at, v.type, v.lead_id, v.created_at, v.data, row_number() over (order by d.next_at, d.id) as n
      from deliveries d
     cross join lateral (select * from events v where v.workspace_id = $1 and v.id = d.event_id limit 1) v -- one by one, by the key, whatever the planner thinks of the tables' sizes
     where d.workspace_id = $1 and d.endpoint_id = $2 and d.state = 'pending' ` + due + `
     order by d.next_at, d.id limit $5
), lease as (
    update endpoints e set drain_token = $3, drain_until = coalesce($6, now()) + cast($4 as interval)
      from endpoints seen
     where e.workspace_id = $1 and e.id = $2 and e.enabled and e.deleted_at is null ` + breaker + `
       and seen.workspace_id = $1 and seen.id = $2
       and (e.drain_token, e.drain_until) is not distinct from (seen.drain_token, seen.drain_until)
       and (e.drain_token = $3 or e.drain_until is null or e.drain_until <= coalesce($6, now()))
       and exists (select from due)
    returning e.*
)
select case when d.n = 1 then e.url else '' end, case when d.n = 1 then e.headers end, e.payload, coalesce(e.rate, 0), e.max_in_flight, e.timeout_s,
       case when d.n = 1 then e.secret else '' end, case when d.n = 1 then e.former_secrets end, e.paced_until,
       case when d.n = 1 then (select w.settings -> 'retrySchedule' from workspaces w where w.id = $1) end,
       d.id, d.event_id, d.attempts, d.tries, d.next_at, d.type, coalesce(d.lead_id, '00000000-0000-0000-0000-000000000000'), d.created_at, d.data, ` + healthColumns + `
  from lease e cross join due d
 order by d.n`
}

var leaseQueries = map[LeaseMode]string{
	LeaseForDrain: leaseQuery(`and d.next_at <= coalesce($6, now())`, `and e.probe_at is null`),
	LeaseForProbe: leaseQuery(`and d.next_at <= coalesce($6, now())`, `and (e.probe_at is null or e.probe_at <= coalesce($6, now()))`),
	LeaseNow:      leaseQuery(``, ``),
}

// LeaseDue leases an enabled endpoint to Token and returns its due deliveries.
// The slice is empty, and there is no lease, when nothing is due, another token has the lease, or the breaker is open.
func (db *DB) LeaseDue(ctx context.Context, t LeaseRequest) (s LeasedBatch, err error) {
	stmt, err := db.prepared(ctx, leaseQueries[t.Mode])
	if err != nil {
		return s, fail(ctx, "prepare take due", err)
	}
	rows, err := stmt.QueryContext(ctx, t.Workspace, t.Endpoint, t.Token, interval(t.Lease), t.Limit, clock(t.Now))
	if err != nil {
		return s, fail(ctx, "take due", err)
	}
	defer rows.Close()
	s.Endpoint = webhook.Endpoint{WorkspaceID: t.Workspace, ID: t.Endpoint, Enabled: true}
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			return s, fail(ctx, "take due", err)
		}
	}
	return s, fail(ctx, "take due", rows.Err())
}

// scan reads one row; the first has the endpoint.
func (s *LeasedBatch) scan(rows interface{ Scan(...any) error }) error {
	var j webhook.Job
	var first struct {
		url, secret               string
		headers, former, schedule []byte
		paced                     *time.Time
		seconds                   int
	}
	e := &s.Endpoint
	targets := []any{&first.url, &first.headers, &e.Payload, &e.Rate, &e.MaxInFlight, &first.seconds, &first.secret, &first.former, &first.paced, &first.schedule,
		&j.DeliveryID, &j.EventID, &j.Attempts, &j.Tries, &j.NextAt, &j.EventType, &j.LeadID, &j.EventAt, &j.Data}
	if err := rows.Scan(append(targets, healthTargets(&e.Health)...)...); err != nil {
		return err
	}
	s.Jobs = append(s.Jobs, j)
	if len(s.Jobs) > 1 {
		return nil
	}
	e.URL, e.Secret, e.Timeout = first.url, first.secret, time.Duration(first.seconds)*time.Second
	if first.paced != nil {
		s.PacedUntil = *first.paced
	}
	if err := json.Unmarshal(first.headers, &e.Headers); err != nil {
		return err
	}
	if err := json.Unmarshal(first.former, &e.Former); err != nil {
		return err
	}
	if first.schedule == nil {
		return nil
	}
	var waits []int
	if err := json.Unmarshal(first.schedule, &waits); err != nil {
		return err
	}
	for _, w := range waits {
		s.Schedule = append(s.Schedule, time.Duration(w)*time.Second)
	}
	return nil
}
