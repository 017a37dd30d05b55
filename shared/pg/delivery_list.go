package pg

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// PageScan is how many rows one page of a list scans unless its query says otherwise.
const PageScan = 20_000

// DeliveryQuery asks for one page of a workspace's deliveries, newest first.
type DeliveryQuery struct {
	webhook.Filter
	Before id.UUID // the end of the page before; zero: from the newest
	Limit  int     // deliveries on the page
	Scan   int     // rows scanned for it at most; 0: PageScan
}

// shownState is the state of a delivery as its owner sees it: upkeep may not have reached the pending ones of an
// endpoint that is disabled, and those held for an endpoint that was deleted are never sent.
const shownState = `
       case when d.state not in ('pending', 'held') then d.state
            when e.deleted_at is not null then 'cancelled'
            when not e.enabled then 'held'
            else d.state end`

// A pending delivery is tried when it is due and the breaker of its endpoint lets it.
const deliveryColumns = `
       d.workspace_id, d.id, d.endpoint_id, d.event_id, coalesce(v.type, ''),
       coalesce(v.lead_id, '00000000-0000-0000-0000-000000000000'), ` + shownState + `, d.attempts,
       case when d.state = 'pending' and e.enabled and e.deleted_at is null then greatest(d.next_at, e.probe_at) end,
       coalesce(d.last_status, 0), coalesce(d.last_error, ''), d.created_at, d.updated_at`

// deliveryJoins go row by row, whatever the planner thinks: it must never read all events.
const deliveryJoins = `
  left join lateral (
    select enabled, deleted_at, probe_at from endpoints
     where workspace_id = $1 and id = d.endpoint_id limit 1) e on true
  left join lateral (
    select type, lead_id from events where workspace_id = $1 and id = d.event_id limit 1) v on true`

func scanDelivery(row conn.Row, before ...any) (d webhook.Delivery, err error) {
	err = row.Scan(append(before, &d.WorkspaceID, &d.ID, &d.EndpointID, &d.EventID, &d.EventType, &d.LeadID, &d.State,
		&d.Attempts, &d.NextAt,
		&d.LastStatus, &d.LastError, &d.CreatedAt, &d.UpdatedAt)...)
	return d, err
}

// floorOf and ceilOf are the ids between which the deliveries of an event are, in SQL.
func floorOf(event string) string {
	return `cast(left(cast(` + event + ` as text), 20) || '000-000000000000' as uuid)`
}

func ceilOf(event string) string {
	return `cast(left(cast(` + event + ` as text), 20) || 'fff-ffffffffffff' as uuid)`
}

// Statements for one page of deliveries. Each has CTEs of three names: "scanned" are the deliveries that are read,
// "found" those of them that match, and "marker" has, when more could be scanned, the id where that begins. When the
// page is not full the marker comes as a last row that is no delivery.
//
//	$1 workspace, $2 id before which the page begins, $3 and $4 times of the events, $5 rows to scan, $6 states,
//	$7 event type, $8 rows of the page and one more, $9 endpoint, $10 lead (only of leadPage); null or empty for all
//
// The ids of an event's deliveries begin with the same 20 characters as the event's; see the function delivery_id.
const (
	// orderedPage goes by the ids of the workspace's deliveries, or of the endpoint's.
	orderedPage = `
with scanned as (
    select d.* from deliveries d cross join ` + dearToSort + `
     where ` + deliveryRange + ` and (cast($9 as uuid) is null or d.endpoint_id = $9)
     order by d.id desc limit $5
), marker (id) as (
    select id from (
        select d.* from deliveries d cross join ` + dearToSort + `
         where ` + deliveryRange + ` and (cast($9 as uuid) is null or d.endpoint_id = $9)
         order by d.id desc offset $5 - 1 limit 1) as l
), found as materialized (
    select ` + deliveryColumns + `
      from (select * from scanned order by id desc) d ` + deliveryJoins + `
     where ` + deliveryFilter + `
     order by d.id desc limit $8
)` + pageRows

	// leadPage goes by the events of a lead, and for each by its deliveries, until it has as many of these. The marker
	// is at the delivery, or else the event, that was the last.
	leadPage = `
with scanned as materialized (
    select d.* from (` + leadEvents + ` limit $5) v
     cross join lateral (
        select * from deliveries d
         where d.workspace_id = $1 and d.event_id = v.id
           and d.id between cast(left(cast(v.id as text), 20) || '000-000000000000' as uuid)
                        and cast(left(cast(v.id as text), 20) || 'fff-ffffffffffff' as uuid)
           and d.id < $2 and (cast($9 as uuid) is null or d.endpoint_id = $9)
         order by d.id desc offset 0) d
     order by v.lead_id desc, v.id desc, d.id desc
     limit $5
), marker (id) as (
    select id from (
        (select id from scanned order by id desc offset $5 - 1 limit 1)
        union all
        (select cast(left(cast(v.id as text), 20) || '000-000000000000' as uuid)
           from (` + leadEvents + ` offset $5 - 1 limit 1) v)) m
     order by id desc limit 1
), found as materialized (
    select ` + deliveryColumns + `
      from (select * from scanned order by id desc) d ` + deliveryJoins + `
     where ` + deliveryFilter + `
     order by d.id desc limit $8
)` + pageRows

	// stuckPage finds exhausted and held deliveries by their own small index: of each endpoint equally many, so that
	// everything is seen down to the endpoint whose share ends first.
	stuckPage = `
with scanned as (
    select d.*, e.share from (
        select id, greatest(1, $5 / count(*) over ()) as share from endpoints e
         where workspace_id = $1 and (cast($9 as uuid) is null or id = $9)
           and exists (
            select from deliveries d
             where ` + deliveryRange + ` and d.endpoint_id between e.id and e.id and d.state in ('exhausted', 'held')
             order by d.endpoint_id, d.id offset 0)) e
     cross join lateral (
        select d.*, row_number() over (order by d.id desc) as nth from deliveries d
         where ` + deliveryRange + ` and d.endpoint_id = e.id and d.state in ('exhausted', 'held')
         order by d.id desc limit e.share) d
), marker (id) as (
    select l.id from scanned l where l.nth = l.share order by l.id desc limit 1
), found as materialized (
    select ` + deliveryColumns + `
      from (select * from scanned order by id desc) d ` + deliveryJoins + `
     where ` + deliveryFilter + `
       and d.id >= coalesce((select id from marker), '00000000-0000-0000-0000-000000000000')
     order by d.id desc limit $8
)` + pageRows

	// pendingPage finds pending deliveries by the index of what is due: they are few, or else easily found by
	// orderedPage. Its marker, the largest id, says that they are not few.
	pendingPage = `
with scanned as (
    select d.* from deliveries d cross join ` + dearToSort + `
     where d.workspace_id = $1 and (cast($9 as uuid) is null or d.endpoint_id = $9) and d.state = 'pending'
     order by d.endpoint_id, d.next_at, d.id limit $5 + 1
), marker (id) as (
    select cast('ffffffff-ffff-ffff-ffff-ffffffffffff' as uuid) from scanned offset $5 limit 1
), found as materialized (
    select ` + deliveryColumns + `
      from (select * from scanned order by id desc) d ` + deliveryJoins + `
     where ` + deliveryFilter + ` and not exists (select from marker) and ` + deliveryRange + `
     order by d.id desc limit $8
)` + pageRows
)

// Parts that the pages share.
const (
	deliveryRange  = `d.workspace_id = $1 and d.id < $2 and d.id >= uuid_floor($3) and d.id < uuid_floor($4)`
	deliveryFilter = `(cast($6 as text[]) is null or ` + shownState + ` = any($6)) and ($7 = '' or v.type = $7)`

	leadEvents = `
        select v.lead_id, v.id from events v
         where v.workspace_id = (select $1::uuid) and v.lead_id between $10 and $10 and v.id >= uuid_floor($3) and v.id < uuid_floor($4)
           and v.id <= cast(left(cast(cast($2 as uuid) as text), 20) || 'fff-ffffffffffff' as uuid)
           and cast(left(cast(v.id as text), 20) || '000-000000000000' as uuid) < $2
         order by v.lead_id desc, v.id desc`

	pageRows = `
select false, f.* from found f
union all
select true, $1, id, $1, $1, '', $1, '', 0, null, 0, '', now(), now() from marker
 where (select count(*) from found) < $8
 order by 1, 3 desc`
)

// FindDeliveries returns a page of a workspace's deliveries and, unless it is the last one, the id that ends it. A page
// scans a bounded number of rows, so it may be short or empty and yet not the last.
func (db *DB) FindDeliveries(ctx context.Context, workspace id.UUID, q DeliveryQuery) (found []webhook.Delivery,
	next id.UUID, err error) {
	stuck := len(q.States) > 0 && !slices.ContainsFunc(q.States,
		func(s webhook.State) bool { return s != webhook.Exhausted && s != webhook.Held })
	switch {
	case q.LeadID != (id.UUID{}):
		return db.deliveryPage(ctx, leadPage, workspace, q, q.LeadID)
	case slices.Equal(q.States, []webhook.State{webhook.Pending}):
		if found, next, err = db.deliveryPage(ctx, pendingPage, workspace, q); err != nil || next != uuid.Max {
			return found, next, err
		}
	case stuck:
		stored, err := db.heldIsStored(ctx, workspace, q)
		if err != nil {
			return nil, next, err
		}
		if stored {
			return db.deliveryPage(ctx, stuckPage, workspace, q)
		}
	}
	return db.deliveryPage(ctx, orderedPage, workspace, q)
}

// heldIsStored reports whether every delivery that is shown as held is stored as held.
func (db *DB) heldIsStored(ctx context.Context, workspace id.UUID, q DeliveryQuery) (bool, error) {
	const query = `
select not exists (
    select from endpoints e
     where e.workspace_id = $1 and (cast($2 as uuid) is null or e.id = $2) and not e.enabled and e.deleted_at is null
       and exists (
        select from deliveries d
         where d.workspace_id = $1 and d.endpoint_id = e.id and d.state = 'pending'
         order by d.next_at offset 0))`
	if !slices.Contains(q.States, webhook.Held) {
		return true, nil
	}
	return conn.One(ctx, db, "find held deliveries", conn.Value[bool], nil, query, workspace, optionalID(q.EndpointID))
}

func (db *DB) deliveryPage(ctx context.Context, query string, workspace id.UUID, q DeliveryQuery,
	more ...any) (found []webhook.Delivery, next id.UUID, err error) {
	from, until := idRange(q.From, q.Until)
	args := []any{workspace, orNewest(q.Before), from, until, scanBudget(q.Scan), stateList(q.States), q.EventType,
		q.Limit + 1, optionalID(q.EndpointID)}
	err = conn.Each(ctx, db, "list deliveries", func(row conn.Row) error {
		var marker bool
		d, err := scanDelivery(row, &marker)
		if marker {
			next = d.ID
		} else {
			found = append(found, d)
		}
		return err
	}, query, append(args, more...)...)
	if len(found) > q.Limit { // one more than asked for: there is another page
		found = found[:q.Limit]
		next = found[q.Limit-1].ID
	}
	return found, next, err
}

// scanBudget is scan, or PageScan where that is 0.
func scanBudget(scan int) int {
	if scan == 0 {
		return PageScan
	}
	return scan
}

// stateList is states as a text[]; none are null, which is all.
func stateList(states []webhook.State) any {
	if len(states) == 0 {
		return nil
	}
	texts := make([]string, len(states))
	for i, s := range states {
		texts[i] = string(s)
	}
	return pqStrings(&texts)
}

// GetDelivery returns a workspace's delivery.
func (db *DB) GetDelivery(ctx context.Context, workspace, delivery id.UUID) (webhook.Delivery, error) {
	return getDelivery(ctx, db, workspace, delivery)
}

// oneDelivery is delivery $2 of workspace $1. Of a partition that looks empty each index promises to be as cheap, and
// that of endpoints would be read to its end.
const oneDelivery = `(
    select o.* from deliveries o cross join ` + dearToSort + `
     where o.workspace_id = $1 and o.id between $2 and $2 order by o.workspace_id, o.id limit 1)`

func getDelivery(ctx context.Context, on conn.Queryer, workspace, delivery id.UUID) (webhook.Delivery, error) {
	const q = `
select ` + deliveryColumns + `
  from ` + oneDelivery + ` d ` + deliveryJoins + `
 where d.workspace_id = $1`
	scan := func(row conn.Row) (webhook.Delivery, error) { return scanDelivery(row) }
	return conn.One(ctx, on, "get delivery", scan, deliveryNotFound(), q, workspace, delivery)
}

func deliveryNotFound() error { return fault.New(fault.NotFound, "Delivery not found") }

// HasEndpoint reports whether a workspace has or had this endpoint: a deleted one's deliveries can be read as long as
// they are kept.
func (db *DB) HasEndpoint(ctx context.Context, workspace, endpoint id.UUID) (bool, error) {
	const q = `select exists (select from endpoints where workspace_id = $1 and id = $2)`
	return conn.One(ctx, db, "find endpoint", conn.Value[bool], nil, q, workspace, endpoint)
}

// ResendDelivery makes a delivery due now; one that is not pending begins its attempts anew. It is a CONFLICT where
// that cannot be.
func (db *DB) ResendDelivery(ctx context.Context, workspace, delivery id.UUID) (webhook.Delivery, error) {
	// What is due already keeps its place in the order. The event is locked before the delivery: one that is being
	// erased is sent as what is left of it.
	q := `
with v as materialized (
    select d.workspace_id, d.endpoint_id, d.id, v.type, v.lead_id
      from ` + oneDelivery + ` d
     cross join lateral (
        select * from events where workspace_id = $1 and id between d.event_id and d.event_id order by id limit 1 for share) v
     where d.workspace_id = $1 and v.type <> '` + webhook.WebhookTest + `'
)
update deliveries d
   set state = 'pending', next_at = least(d.next_at, now()), updated_at = now(),
       tries = case when d.state = 'pending' then d.tries else 0 end,
       delivered_before = d.delivered_before or d.state = 'delivered'
  from endpoints e, v
 where d.workspace_id = ` + conn.Either("v.workspace_id", "$1") + ` and d.endpoint_id = v.endpoint_id and d.id = v.id
   and e.workspace_id = $1 and e.id = v.endpoint_id and e.enabled and e.deleted_at is null
returning ` + deliveryColumns
	scan := func(row conn.Row) (webhook.Delivery, error) { return scanDelivery(row) }
	d, ok, err := conn.Find(ctx, db, "resend delivery", scan, q, workspace, delivery)
	if err == nil && !ok {
		err = db.whyNotResent(ctx, workspace, delivery)
	}
	return d, err
}

func (db *DB) whyNotResent(ctx context.Context, workspace, delivery id.UUID) error {
	const q = `
select coalesce(e.enabled, false), coalesce(e.deleted_at is not null, true), coalesce(v.type, '')
  from ` + oneDelivery + ` d ` + deliveryJoins + `
 where d.workspace_id = $1`
	var enabled, deleted bool
	scan := func(row conn.Row) (event string, err error) {
		err = row.Scan(&enabled, &deleted, &event)
		return event, err
	}
	event, err := conn.One(ctx, db, "resend delivery", scan, deliveryNotFound(), q, workspace, delivery)
	switch {
	case err != nil:
		return err
	case event == "":
		return fault.New(fault.Conflict, "The delivery's event is kept no longer: it cannot be sent again")
	case event == webhook.WebhookTest:
		return fault.New(fault.Conflict, "A test is sent once: make another one")
	}
	if err := refuseResend(enabled, deleted); err != nil {
		return err
	}
	return fault.New(fault.Conflict, "The webhook endpoint was changed at the same moment: try again")
}
