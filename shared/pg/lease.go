package pg

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// LeaseRequest asks for an endpoint's due deliveries on behalf of Token.
type LeaseRequest struct {
	Workspace id.UUID
	Endpoint  id.UUID
	Token     id.UUID       // who leases
	Lease     time.Duration // for how long nobody else may
	Limit     int
	Bytes     int // of data, each delivery counting DueOverhead more, but one delivery always; 0: any number
	Mode      LeaseMode
	Now       time.Time // zero: the database's clock

	// After is the last delivery that Token had of its lease before this one. What is in line before it is passed over,
	// but for what is due for less than lateBy. Zero: the lease begins with the oldest.
	After DueKey
}

// DueKey is a delivery's place in the line of what is due.
type DueKey struct {
	NextAt time.Time
	ID     id.UUID
}

// lateBy is how much later than it becomes due a new delivery is usually committed, at most.
const lateBy = `interval '5 s'`

// DueOverhead is how many bytes a leased delivery counts beside the data of its event.
const DueOverhead = 512

// LeaseMode says which deliveries may be leased.
type LeaseMode int

// The modes.
const (
	LeaseForDrain LeaseMode = iota // what is due, while the breaker is closed
	LeaseForProbe                  // what is due, though the breaker may be open: its pause must be over
	LeaseNow                       // whatever waits, breaker or not, because somebody asked
)

// LeasedBatch is what was leased: an endpoint as it is now and some of its due deliveries, oldest first.
type LeasedBatch struct {
	Endpoint   webhook.Endpoint
	Schedule   webhook.Schedule // the workspace's own; nil: it has none
	PacedUntil time.Time        // the endpoint's rate allows nothing before; zero: it does
	Due        []webhook.DueDelivery
	More       bool // others are due too, perhaps
}

// leaseQuery leases the endpoint and reads what is due, in one statement, with the conditions of a mode. The endpoint
// comes with the first row only. "seen" is the endpoint as the snapshot has it: whoever waited for the row lock of
// another lease finds the row changed and gets nothing, because its list of due deliveries is as old as its snapshot.
// Events are found one by one, by their key, whatever the planner thinks of the tables' sizes.
//
// While an old transaction is open, such as a backup, whatever was delivered since stays in the index, and each lease
// reads all of that which comes after its begin.
//
// "taken" are the first of "due", as many as have $7 bytes together, and always the first one. Large data is in pieces
// beside its row and perhaps compressed. What it takes where it is stored can be told without reading it, and is all
// its bytes unless it is compressed; only what may be taken by that is read to tell the rest.
//
//	$1 workspace, $2 endpoint, $3 token, $4 length of the lease, $5 limit, $6 now; null: the database's clock, $7 bytes,
//	$8 and $9 where to begin
func leaseQuery(due, breaker string) string {
	return `
with due as materialized (
    select d.id, d.event_id, d.attempts, d.tries, d.next_at, v.type, v.lead_id, v.created_at, v.data, v.trace,
           row_number() over (order by d.next_at, d.id) as n,
           coalesce(sum(pg_column_size(v.data)) over (order by d.next_at, d.id ` + rowsBefore + `), 0) as stored_before
      from deliveries d
     cross join lateral (select * from events v where v.workspace_id = $1 and v.id = d.event_id limit 1) v
     cross join ` + dearToSort + `
     where d.workspace_id = $1 and d.endpoint_id = $2 and d.state = 'pending' ` + due + `
       and (d.next_at, d.id) > (least($8::timestamptz, coalesce($6, now()) - ` + lateBy + `), $9::uuid)
     order by d.next_at, d.id limit $5
), taken as (
    select due.*, coalesce(sum(` + jobSize + `) over (order by due.n ` + rowsBefore + `), 0) as before
      from due
     where due.stored_before < $7
), lease as (
    update endpoints e
       set drain_token = $3, drain_until = coalesce($6, now()) + cast($4 as interval)
      from endpoints seen
     where e.workspace_id = $1 and e.id = $2 and e.enabled and e.deleted_at is null ` + breaker + `
       and seen.workspace_id = $1 and seen.id = $2
       and (e.drain_token, e.drain_until) is not distinct from (seen.drain_token, seen.drain_until)
       and (e.drain_token = $3 or e.drain_until is null or e.drain_until <= coalesce($6, now()))
       and exists (select from due) and ` + isActive("$1") + `
    returning e.*
)
select case when d.n = 1 then e.url else '' end, case when d.n = 1 then e.headers end, e.payload, coalesce(e.rate, 0),
       e.max_in_flight, e.timeout_s, coalesce(e.batch_max, 0), coalesce(e.batch_wait_ms, 0),
       case when d.n = 1 then e.secret else '' end,
       case when d.n = 1 then e.former_secrets end, e.paced_until,
       case when d.n = 1 then (select w.settings -> 'retrySchedule' from workspaces w where w.id = $1) end,
       d.id, d.event_id, d.attempts, d.tries, d.next_at, d.type,
       coalesce(d.lead_id, '00000000-0000-0000-0000-000000000000'), d.created_at, d.data,
       coalesce(d.trace, ''), (select count(*) from due), ` + healthColumns + `
  from lease e cross join taken d
 where d.before < $7
 order by d.n`
}

// dearToSort is one row, of which Postgres expects a thousand. Joined to a list that is short by its limit, it keeps
// Postgres from sorting all rows that there are, instead of reading the first ones by their index, where statistics
// believe that there are few.
const dearToSort = `string_to_table('1', ',') one`

const rowsBefore = `rows between unbounded preceding and 1 preceding`

// jobSize is how many bytes a row of "due" counts.
var jobSize = `case when pg_column_compression(due.data) is null then pg_column_size(due.data)
                                 else octet_length(cast(due.data as text)) end + ` + strconv.Itoa(DueOverhead)

var leaseQueries = map[LeaseMode]string{
	LeaseForDrain: leaseQuery(`and d.next_at <= coalesce($6, now())`, `and e.probe_at is null`),
	LeaseForProbe: leaseQuery(`and d.next_at <= coalesce($6, now())`,
		`and (e.probe_at is null or e.probe_at <= coalesce($6, now()))`),
	LeaseNow: leaseQuery(``, ``),
}

// LeaseDue decides the order of deliveries to an endpoint. A lease is what queues call a visibility timeout. LeaseDue
// leases an enabled endpoint to Token and returns its due deliveries. The batch is empty, and there is no
// lease, when nothing is due, another token has the lease, the breaker is open, or the workspace is suspended.
func (db *DB) LeaseDue(ctx context.Context, r LeaseRequest) (b LeasedBatch, err error) {
	b.Endpoint = webhook.Endpoint{WorkspaceID: r.Workspace, ID: r.Endpoint, Enabled: true}
	due := 0
	scan := func(row conn.Row) error { return b.scan(row, &due, db.openEndpoint) }
	err = conn.Each(ctx, db.Prepared(), "lease due deliveries", scan, leaseQueries[r.Mode],
		r.Workspace, r.Endpoint, r.Token, interval(r.Lease), r.Limit, clock(r.Now), cmp.Or(r.Bytes, math.MaxInt32),
		r.After.NextAt, r.After.ID)
	b.More = len(b.Due) > 0 && (len(b.Due) < due || due == r.Limit)
	return b, err
}

// HasLease reports whether token has an endpoint's lease, which that of a suspended workspace has not.
func (db *DB) HasLease(ctx context.Context, workspace, endpoint, token id.UUID) (bool, error) {
	q := `
select exists (select from endpoints where workspace_id = $1 and id = $2 and drain_token = $3) and ` + isActive("$1")
	return conn.One(ctx, db.Prepared(), "find lease", conn.Value[bool], nil, q, workspace, endpoint, token)
}

// scan reads one row; the first has the endpoint, which open reads the secrets of. due is how many are due, as far as
// the limit goes.
func (b *LeasedBatch) scan(row conn.Row, due *int, open func(*webhook.Endpoint, sealedEndpoint) error) error {
	var j webhook.DueDelivery
	var first struct {
		url      string
		sealed   sealedEndpoint
		schedule []byte
		paced    *time.Time
		seconds  int
		waitMs   int
	}
	e := &b.Endpoint
	targets := []any{&first.url, &first.sealed.headers, &e.Payload, &e.Rate, &e.MaxInFlight, &first.seconds,
		&e.Batch.Max, &first.waitMs, &first.sealed.secret, &first.sealed.former, &first.paced, &first.schedule,
		&j.DeliveryID, &j.EventID, &j.Attempts, &j.Tries, &j.NextAt, &j.EventType, &j.LeadID, &j.EventAt, &j.Data,
		&j.Trace, due}
	if err := row.Scan(append(targets, healthTargets(&e.Health)...)...); err != nil {
		return err
	}
	b.Due = append(b.Due, j)
	if len(b.Due) > 1 {
		return nil
	}
	e.URL, e.Timeout = first.url, time.Duration(first.seconds)*time.Second
	e.Batch.Wait = time.Duration(first.waitMs) * time.Millisecond
	if first.paced != nil {
		b.PacedUntil = *first.paced
	}
	if err := open(e, first.sealed); err != nil {
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
		b.Schedule = append(b.Schedule, time.Duration(w)*time.Second)
	}
	return nil
}
