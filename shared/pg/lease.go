package pg

import (
	"bytes"
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
	Limit     int           // maxLease at most
	Bytes     int           // of data, each delivery counting DueOverhead more, but one delivery always; 0: any number
	Mode      LeaseMode
	Now       time.Time // zero: the database's clock

	// Patience is how long LeaseDue waits for a lock before it fails; 0: as long as ever.
	Patience time.Duration

	// After is the last delivery that Token had of its lease before this one. What is in line before it is passed over,
	// but for what is due for less than lateBy. Zero: the lease begins with the oldest.
	After DueKey
}

// DueKey is a delivery's place in the line of what is due.
type DueKey struct {
	NextAt time.Time
	ID     id.UUID
}

// After reports whether a place comes behind another.
func (k DueKey) After(other DueKey) bool {
	return cmp.Or(k.NextAt.Compare(other.NextAt), bytes.Compare(k.ID[:], other.ID[:])) > 0
}

// lateBy is how much later than it becomes due a new delivery is usually committed, at most.
const lateBy = `interval '5 s'`

// maxLease is how many deliveries one lease has of an endpoint at most. It is in the statement beside the limit that is
// asked for, of which Postgres expects a tenth of all that waits.
const maxLease = 1000

// DueOverhead is how many bytes a leased delivery counts beside the data of its event.
const DueOverhead = 512

// LeaseMode says which deliveries may be leased.
type LeaseMode int

// The modes.
const (
	LeaseForDrain LeaseMode = iota // what is due, while the breaker is closed
	LeaseForProbe                  // what is due, though the breaker may be open: its pause must be over
	LeaseNow                       // whatever waits, breaker or not, because somebody asked
	LeaseAhead                     // what follows After in a lease that Token has, and that is not renewed
)

// LeasedBatch is what was leased: an endpoint as it is now and some of its due deliveries, oldest first.
type LeasedBatch struct {
	Endpoint   webhook.Endpoint
	Schedule   webhook.Schedule // the workspace's own; nil: it has none
	PacedUntil time.Time        // the endpoint's rate allows nothing before; zero: it does
	Due        []webhook.DueDelivery
	More       bool // others are due too, perhaps
}

// leaseQuery leases endpoints and reads what is due, in one statement, with the conditions of a mode. An endpoint
// comes with its first row only. "seen" is the endpoint as the snapshot has it: whoever waited for the row lock of
// another lease finds the row changed and gets nothing, because its list of due deliveries is as old as its snapshot.
// Events are found one by one, by their key, whatever the planner thinks of the tables' sizes.
//
// While an old transaction is open, such as a backup, whatever was delivered since stays in the index, and each lease
// reads all of that which comes after its begin.
//
// "due" are the first deliveries of an endpoint, as many as have its bytes together, and always the first one. Large
// data is in pieces beside its row and perhaps compressed. What it takes where it is stored can be told without reading
// it, and is all its bytes unless it is compressed; only what may be taken by that is read to tell the rest.
//
//	$1 to $7 workspaces, endpoints, tokens, limits, bytes, where to begin, in two columns, $8 length of the leases,
//	$9 now; null: the database's clock, $10 how long a lock is waited for; null: as long as ever
func leaseQuery(due, lease string) string {
	return `
with asked as materialized (
    select a.*, coalesce($9, now()) as now, coalesce($9, now()) + cast($8 as interval) as until
      from (select ` + conn.Either(`set_config('lock_timeout', coalesce($10, current_setting('lock_timeout')), true)`, `$10::text`) + ` offset 0) as patience
     cross join unnest(` + hidden(1, `uuid uuid uuid int int timestamptz uuid`) + `)
        as a (workspace_id, endpoint_id, token, most, bytes, after_at, after_id)
), due as materialized (
    select a.workspace_id, a.endpoint_id, t.*
      from asked a
     cross join lateral (
        select all_due.*, coalesce(sum(` + jobSize + `) over (order by next_at, id ` + rowsBefore + `), 0) as before
          from (
            select first.*, count(*) over () as total, row_number() over (order by next_at, id) as n,
                   coalesce(sum(pg_column_size(data)) over (order by next_at, id ` + rowsBefore + `), 0) as stored_before
              from (
                select * from (
                    select d.id, d.event_id, d.attempts, d.tries, d.next_at, v.type, v.lead_id, v.created_at, v.data, v.trace
                      from deliveries d
                     cross join lateral (select * from events v
                                          where v.workspace_id = ` + batchWorkspace("a.workspace_id") + ` and v.id = d.event_id limit 1) v
                     cross join ` + dearToSort + `
                     where d.workspace_id = ` + batchWorkspace("a.workspace_id") + ` and d.endpoint_id = a.endpoint_id
                       and d.state = 'pending' ` + due + `
                       and (d.next_at, d.id) > (least(a.after_at, coalesce($9, now()) - ` + lateBy + `), a.after_id)
                     order by d.next_at, d.id limit ` + strconv.Itoa(maxLease) + `) as line limit a.most) as first) as all_due
         where stored_before < a.bytes) t
     where t.before < a.bytes
), lease as (
    ` + lease + `
)
select e.workspace_id, e.id, case when d.n = 1 then e.url else '' end, case when d.n = 1 then e.headers end, e.payload,
       coalesce(e.rate, 0), e.max_in_flight, e.timeout_s, coalesce(e.batch_max, 0), coalesce(e.batch_wait_ms, 0),
       case when d.n = 1 then e.secret else '' end,
       case when d.n = 1 then e.former_secrets end, e.paced_until,
       case when d.n = 1 then (select w.settings -> 'retrySchedule' from workspaces w where w.id = e.workspace_id) end,
       d.id, d.event_id, d.attempts, d.tries, d.next_at, d.type,
       coalesce(d.lead_id, '00000000-0000-0000-0000-000000000000'), d.created_at, d.data,
       coalesce(d.trace, ''), d.total, ` + healthColumns + `
  from lease e join due d on d.workspace_id = e.workspace_id and d.endpoint_id = e.id
 order by d.workspace_id, d.endpoint_id, d.n`
}

// dearToSort is one row, of which Postgres expects a thousand. Joined to a list that is short by its limit, it keeps
// Postgres from sorting all rows that there are, instead of reading the first ones by their index, where statistics
// believe that there are few.
const dearToSort = `string_to_table('1', ',') one`

const rowsBefore = `rows between unbounded preceding and 1 preceding`

// jobSize is how many bytes a delivery counts.
var jobSize = `case when pg_column_compression(data) is null then pg_column_size(data)
                                 else octet_length(cast(data as text)) end + ` + strconv.Itoa(DueOverhead)

const (
	isDue         = `and d.next_at <= coalesce($9, now())`
	breakerClosed = `and e.probe_at is null`
)

var leaseQueries = map[LeaseMode]string{
	LeaseForDrain: leaseQuery(isDue, takeLease(breakerClosed)),
	LeaseForProbe: leaseQuery(isDue, takeLease(`and (e.probe_at is null or e.probe_at <= a.now)`)),
	LeaseNow:      leaseQuery(``, takeLease(``)),
	LeaseAhead:    leaseQuery(isDue, haveLease),
}

// takeLease takes leases of endpoints whose breakers are as asked for, each of its workspace. It looks across workspaces.
func takeLease(breaker string) string {
	return `update endpoints e
       set drain_token = a.token, drain_until = a.until
      from asked a, endpoints seen
     where ` + mayLease + breaker + `
       and seen.workspace_id = ` + batchWorkspace("a.workspace_id") + ` and seen.id = a.endpoint_id
       and (e.drain_token, e.drain_until) is not distinct from (seen.drain_token, seen.drain_until)
       and (e.drain_token = a.token or e.drain_until is null or e.drain_until <= a.now)
    returning e.*`
}

// haveLease finds leases that are not renewed, so that it waits for nobody who writes to the endpoint.
var haveLease = `select e.* from asked a, endpoints e
     where ` + mayLease + breakerClosed + ` and e.drain_token = a.token and e.drain_until > a.now`

// mayLease is what is so of each endpoint with a lease.
var mayLease = `e.workspace_id = ` + batchWorkspace("a.workspace_id") + ` and e.id = a.endpoint_id and e.enabled and e.deleted_at is null
       and exists (select from due where due.workspace_id = a.workspace_id and due.endpoint_id = a.endpoint_id)
       and ` + isActive("a.workspace_id") + ` `

// LeaseDue decides the order of deliveries to an endpoint. A lease is what queues call a visibility timeout. LeaseDue
// leases an enabled endpoint to Token and returns its due deliveries. The batch is empty, and there is no
// lease, when nothing is due, another token has the lease, the breaker is open, or the workspace is suspended.
func (db *DB) LeaseDue(ctx context.Context, r LeaseRequest) (b LeasedBatch, err error) {
	all, err := db.LeaseAllDue(ctx, []LeaseRequest{r}, r.Patience)
	if len(all) > 0 {
		b = all[0]
	}
	return b, err
}

// LeaseAllDue is LeaseDue of several endpoints, of any workspaces, in one statement, all for the time, by the clock and
// in the mode of the first. Where patience is not 0 it fails when it has to wait for a lock for longer.
// It looks across workspaces.
func (db *DB) LeaseAllDue(ctx context.Context, all []LeaseRequest, patience time.Duration) ([]LeasedBatch, error) {
	return splitBatch(ctx, db, all, func(r *LeaseRequest) id.UUID { return r.Workspace },
		func(part []LeaseRequest) ([]LeasedBatch, error) { return db.leaseAllDue(ctx, part, patience) })
}

func (db *DB) leaseAllDue(ctx context.Context, all []LeaseRequest, patience time.Duration) ([]LeasedBatch, error) {
	out := make([]LeasedBatch, len(all))
	places := make(map[EndpointRef]int, len(all))
	c := newColumns(len(all), uuids, uuids, uuids, ints, ints, times, uuids)
	for i, r := range all {
		out[i].Endpoint = webhook.Endpoint{WorkspaceID: r.Workspace, ID: r.Endpoint, Enabled: true}
		places[EndpointRef{r.Workspace, r.Endpoint}] = i
		c[0].uuid(r.Workspace)
		c[1].uuid(r.Endpoint)
		c[2].uuid(r.Token)
		c[3].int(int64(r.Limit))
		c[4].int(int64(cmp.Or(r.Bytes, math.MaxInt32)))
		c[5].time(r.After.NextAt)
		c[6].uuid(r.After.ID)
	}
	due := make([]int, len(all))
	args := append(arrays(c...), interval(all[0].Lease), clock(all[0].Now), lockWait(patience))
	err := db.within(ctx, patience, func(on conn.Queryer) error {
		return conn.Each(ctx, on, "lease due deliveries", func(row conn.Row) error {
			batchOf := func(e EndpointRef) (*LeasedBatch, *int) { return &out[places[e]], &due[places[e]] }
			return scanLeased(row, batchOf, db.openEndpoint)
		}, leaseQueries[all[0].Mode], args...)
	})
	for i := range out {
		n := len(out[i].Due)
		out[i].More = n > 0 && (n < due[i] || due[i] == all[i].Limit)
	}
	return out, err
}

// HasLease reports whether token has an endpoint's lease, which that of a suspended workspace has not.
func (db *DB) HasLease(ctx context.Context, workspace, endpoint, token id.UUID) (bool, error) {
	q := `
select exists (select from endpoints where workspace_id = $1 and id = $2 and drain_token = $3) and ` + isActive("$1")
	return conn.One(ctx, db.Prepared(), "find lease", conn.Value[bool], nil, q, workspace, endpoint, token)
}

// scanLeased reads one row into the batch of its endpoint; the first has the endpoint, which open reads the secrets of.
// due is how many are due, as far as the limit goes.
func scanLeased(row conn.Row, batchOf func(EndpointRef) (b *LeasedBatch, due *int),
	open func(*webhook.Endpoint, sealedEndpoint) error) error {
	var of EndpointRef
	var e webhook.Endpoint
	var j webhook.DueDelivery
	var total, seconds, waitMs int
	var sealed sealedEndpoint
	var paced *time.Time
	var schedule []byte
	targets := []any{&of.Workspace, &of.Endpoint, &e.URL, &sealed.headers, &e.Payload, &e.Rate, &e.MaxInFlight, &seconds,
		&e.Batch.Max, &waitMs, &sealed.secret, &sealed.former, &paced, &schedule,
		&j.DeliveryID, &j.EventID, &j.Attempts, &j.Tries, &j.NextAt, &j.EventType, &j.LeadID, &j.EventAt, &j.Data,
		&j.Trace, &total}
	if err := row.Scan(append(targets, healthTargets(&e.Health)...)...); err != nil {
		return err
	}
	b, due := batchOf(of)
	b.Due = append(b.Due, j)
	if len(b.Due) > 1 {
		return nil
	}
	e.WorkspaceID, e.ID, e.Enabled = of.Workspace, of.Endpoint, true
	e.Timeout, e.Batch.Wait = time.Duration(seconds)*time.Second, time.Duration(waitMs)*time.Millisecond
	b.Endpoint, *due = e, total
	if paced != nil {
		b.PacedUntil = *paced
	}
	if err := open(&b.Endpoint, sealed); err != nil {
		return err
	}
	if schedule == nil {
		return nil
	}
	var waits []int
	if err := json.Unmarshal(schedule, &waits); err != nil {
		return err
	}
	for _, w := range waits {
		b.Schedule = append(b.Schedule, time.Duration(w)*time.Second)
	}
	return nil
}
