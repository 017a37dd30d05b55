package pg

import (
	"bytes"
	"context"
	"database/sql"
	"time"

	"leadgate/shared/hook"
	"leadgate/shared/id"
)

// Take asks for an endpoint's due deliveries on behalf of Token.
type Take struct {
	Workspace id.UUID
	Endpoint  id.UUID
	Token     id.UUID       // who takes
	Lease     time.Duration // for how long nobody else may take
	Limit     int
	Now       time.Time // zero: the database's clock
}

// Slice is what was taken: an endpoint as it is now and some of its due deliveries, oldest first.
type Slice struct {
	Endpoint hook.Endpoint
	Jobs     []hook.Job
}

// TakeDue leases an enabled endpoint to Token and returns its due deliveries, in one statement.
// The slice is empty, and there is no lease, when nothing is due or another token has the lease.
func (db *DB) TakeDue(ctx context.Context, t Take) (s Slice, err error) {
	// "seen" is the endpoint as the snapshot has it. Whoever waited for another taker's row lock finds the row changed and gets nothing,
	// because its list of due deliveries is as old as its snapshot.
	const q = `
with due as materialized (
    select d.id, d.event_id, d.attempts, d.next_at, v.type, v.created_at, v.data
      from deliveries d join events v on v.workspace_id = $1 and v.id = d.event_id
     where d.workspace_id = $1 and d.endpoint_id = $2 and d.state = 'pending' and d.next_at <= coalesce($6, now())
     order by d.next_at, d.id limit $5
), lease as (
    update endpoints e set drain_token = $3, drain_until = coalesce($6, now()) + cast($4 as interval)
      from endpoints seen
     where e.workspace_id = $1 and e.id = $2 and e.enabled
       and seen.workspace_id = $1 and seen.id = $2
       and (e.drain_token, e.drain_until) is not distinct from (seen.drain_token, seen.drain_until)
       and (e.drain_token = $3 or e.drain_until is null or e.drain_until <= coalesce($6, now()))
       and exists (select from due)
    returning e.url, e.secret
)
select l.url, l.secret, d.id, d.event_id, d.attempts, d.type, d.created_at, d.data
  from lease l cross join due d
 order by d.next_at, d.id`
	stmt, err := db.prepared(ctx, q)
	if err != nil {
		return s, fail(ctx, "prepare take due", err)
	}
	rows, err := stmt.QueryContext(ctx, t.Workspace, t.Endpoint, t.Token, interval(t.Lease), t.Limit, clock(t.Now))
	if err != nil {
		return s, fail(ctx, "take due", err)
	}
	defer rows.Close()
	s.Endpoint = hook.Endpoint{WorkspaceID: t.Workspace, ID: t.Endpoint, Enabled: true}
	for rows.Next() {
		var j hook.Job
		if err := rows.Scan(&s.Endpoint.URL, &s.Endpoint.Secret, &j.DeliveryID, &j.EventID, &j.Attempts, &j.EventType, &j.EventAt, &j.Data); err != nil {
			return s, fail(ctx, "take due", err)
		}
		s.Jobs = append(s.Jobs, j)
	}
	return s, fail(ctx, "take due", rows.Err())
}

// Record stores what Token's attempts came to.
type Record struct {
	Workspace id.UUID
	Endpoint  id.UUID
	Token     id.UUID
	Lease     time.Duration // renews the lease for so long; 0 gives it back
	Now       time.Time     // zero: the database's clock
	Outcomes  []hook.Outcome
}

// RecordOutcomes stores attempts, moves their deliveries on, and renews or gives back the lease, in one statement.
// held is false when another token has taken the lease meanwhile: what was sent is recorded all the same, and nothing more should be sent.
func (db *DB) RecordOutcomes(ctx context.Context, r Record) (held bool, err error) {
	const q = `
with o as (
    select * from unnest($5::uuid[], $6::uuid[], $7::int[], $8::int[], $9::text[], $10::text[], $11::int[], $12::timestamptz[], $13::text[], $14::timestamptz[])
      as o (delivery_id, id, number, status, error, response_head, latency_ms, at, state, next_at)
), moved as (
    update deliveries d set state = o.state, attempts = o.number, next_at = o.next_at, last_status = o.status, last_error = o.error, updated_at = o.at
      from o where d.workspace_id = $1 and d.id = o.delivery_id and d.state = 'pending' and d.id between $15 and $16
), made as (
    insert into attempts (workspace_id, delivery_id, id, number, status, error, response_head, latency_ms, created_at)
    select $1, delivery_id, id, number, status, error, response_head, latency_ms, at from o
    on conflict do nothing -- recorded before, and the answer was lost
)
update endpoints set drain_until = coalesce($17, now()) + cast($4 as interval)
 where workspace_id = $1 and id = $2 and drain_token = $3`
	stmt, err := db.prepared(ctx, q)
	if err != nil {
		return false, fail(ctx, "prepare record outcomes", err)
	}
	res, err := stmt.ExecContext(ctx, append([]any{r.Workspace, r.Endpoint, r.Token, interval(r.Lease)}, outcomeColumns(r)...)...)
	if err != nil {
		return false, fail(ctx, "record outcomes", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

func outcomeColumns(r Record) []any {
	n := len(r.Outcomes)
	var c [10]*column
	for i, width := range [10]int{36, 36, 3, 3, 16, 64, 5, 24, 10, 24} {
		c[i] = newColumn(n, width)
	}
	var lowest, highest id.UUID // lets Postgres leave out partitions
	for i := range r.Outcomes {
		o := &r.Outcomes[i]
		a := &o.Attempt
		if i == 0 || bytes.Compare(a.DeliveryID[:], lowest[:]) < 0 {
			lowest = a.DeliveryID
		}
		if bytes.Compare(a.DeliveryID[:], highest[:]) > 0 {
			highest = a.DeliveryID
		}
		c[0].uuid(a.DeliveryID)
		c[1].uuid(a.ID)
		c[2].int(int64(a.Number))
		if a.Status == 0 {
			c[3].null()
		} else {
			c[3].int(int64(a.Status))
		}
		c[4].optionalString(a.Error)
		c[5].optionalString(a.ResponseHead)
		c[6].int(a.Latency.Milliseconds())
		c[7].time(a.At)
		c[8].string(string(o.State))
		c[9].optionalTime(o.NextAt)
	}
	args := make([]any, 0, len(c)+3)
	for i := range c {
		args = append(args, c[i].done())
	}
	return append(args, lowest, highest, clock(r.Now))
}

// Backlog is what waits for an endpoint.
type Backlog struct {
	Waiting   int       // pending deliveries, counted to 10,000
	NextAt    time.Time // when the next is due; zero when none waits
	LastError string    // of the attempt made last among those that wait; "" when none was made
}

// EndpointBacklog tells what waits for an endpoint, at a cost that does not grow with it.
func (db *DB) EndpointBacklog(ctx context.Context, workspace, endpoint id.UUID) (b Backlog, err error) {
	const q = `
select count(*), min(next_at), coalesce((array_agg(last_error order by updated_at desc) filter (where last_error is not null))[1], '')
  from (select next_at, last_error, updated_at from deliveries
         where workspace_id = $1 and endpoint_id = $2 and state = 'pending' order by next_at limit 10000) as d`
	var next sql.NullTime
	err = db.QueryRowContext(ctx, q, workspace, endpoint).Scan(&b.Waiting, &next, &b.LastError)
	b.NextAt = next.Time
	return b, fail(ctx, "endpoint backlog", err)
}

// DueEndpoints returns up to limit enabled endpoints that have due deliveries and no live lease: work nobody is doing.
// This, DueEnrichments and PrincipalByHash are the statements that look across workspaces.
func (db *DB) DueEndpoints(ctx context.Context, now time.Time, limit int) ([]EndpointRef, error) {
	const q = `
select e.workspace_id, e.id from endpoints e
 where e.enabled and (e.drain_until is null or e.drain_until <= coalesce($1, now()))
   and exists (select from deliveries d where d.workspace_id = e.workspace_id and d.endpoint_id = e.id and d.state = 'pending' and d.next_at <= coalesce($1, now()))
 limit $2`
	rows, err := db.QueryContext(ctx, q, clock(now), limit)
	if err != nil {
		return nil, fail(ctx, "due endpoints", err)
	}
	defer rows.Close()
	var all []EndpointRef
	for rows.Next() {
		var r EndpointRef
		if err := rows.Scan(&r.Workspace, &r.Endpoint); err != nil {
			return nil, fail(ctx, "due endpoints", err)
		}
		all = append(all, r)
	}
	return all, fail(ctx, "due endpoints", rows.Err())
}

// ListDeliveries returns an endpoint's deliveries older than before, newest first; a zero before starts at the newest.
func (db *DB) ListDeliveries(ctx context.Context, workspace, endpoint, before id.UUID, limit int) ([]hook.Delivery, error) {
	const q = `
select d.workspace_id, d.id, d.endpoint_id, d.event_id, coalesce(v.type, ''), coalesce(v.lead_id, '00000000-0000-0000-0000-000000000000'), d.state, d.attempts, d.next_at, coalesce(d.last_status, 0), coalesce(d.last_error, ''), d.created_at, d.updated_at
  from deliveries d left join events v on v.workspace_id = d.workspace_id and v.id = d.event_id
 where d.workspace_id = $1 and d.endpoint_id = $2 and d.id < $3
 order by d.id desc limit $4`
	if before == (id.UUID{}) {
		before = id.UUID{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	}
	rows, err := db.QueryContext(ctx, q, workspace, endpoint, before, limit)
	if err != nil {
		return nil, fail(ctx, "list deliveries", err)
	}
	defer rows.Close()
	var all []hook.Delivery
	for rows.Next() {
		var d hook.Delivery
		if err := rows.Scan(&d.WorkspaceID, &d.ID, &d.EndpointID, &d.EventID, &d.EventType, &d.LeadID, &d.State, &d.Attempts, &d.NextAt, &d.LastStatus, &d.LastError, &d.CreatedAt, &d.UpdatedAt); err != nil {
			return nil, fail(ctx, "list deliveries", err)
		}
		all = append(all, d)
	}
	return all, fail(ctx, "list deliveries", rows.Err())
}

// ListAttempts returns the attempts of deliveries, each delivery's in the order they were made.
func (db *DB) ListAttempts(ctx context.Context, workspace id.UUID, deliveries []id.UUID) (map[id.UUID][]hook.Attempt, error) {
	const q = `
select delivery_id, id, number, coalesce(status, 0), coalesce(error, ''), coalesce(response_head, ''), latency_ms, created_at
  from attempts where workspace_id = $1 and delivery_id = any($2::uuid[]) order by delivery_id, id`
	ids := newColumn(len(deliveries), 36)
	for _, d := range deliveries {
		ids.uuid(d)
	}
	rows, err := db.QueryContext(ctx, q, workspace, ids.done())
	if err != nil {
		return nil, fail(ctx, "list attempts", err)
	}
	defer rows.Close()
	all := make(map[id.UUID][]hook.Attempt, len(deliveries))
	for rows.Next() {
		var a hook.Attempt
		var ms int64
		if err := rows.Scan(&a.DeliveryID, &a.ID, &a.Number, &a.Status, &a.Error, &a.ResponseHead, &ms, &a.At); err != nil {
			return nil, fail(ctx, "list attempts", err)
		}
		a.Latency = time.Duration(ms) * time.Millisecond
		all[a.DeliveryID] = append(all[a.DeliveryID], a)
	}
	return all, fail(ctx, "list attempts", rows.Err())
}
