package pg

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/google/uuid"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// PageScan is how many rows one page of a list looks at unless its query says otherwise.
const PageScan = 20_000

// DeliveryQuery asks for one page of a workspace's deliveries, newest first.
type DeliveryQuery struct {
	webhook.Filter
	Before id.UUID // the end of the page before; zero: from the newest
	Limit  int     // deliveries on the page
	Scan   int     // rows looked at for it at most; 0: PageScan
}

// shownState is where a delivery stands as its owner sees it: upkeep may not have reached the pending ones of an endpoint that takes none,
// and what was held for one that was deleted waits for nothing.
const shownState = `case when d.state not in ('pending', 'held') then d.state when e.deleted_at is not null then 'cancelled' when not e.enabled then 'held' else d.state end`

// A pending one is tried when it is due and the breaker of its endpoint lets it.
const deliveryColumns = `d.workspace_id, d.id, d.endpoint_id, d.event_id, coalesce(v.type, ''), coalesce(v.lead_id, '00000000-0000-0000-0000-000000000000'), ` + shownState + `, d.attempts,
       case when d.state = 'pending' and e.enabled and e.deleted_at is null then greatest(d.next_at, e.probe_at) end, coalesce(d.last_status, 0), coalesce(d.last_error, ''), d.created_at, d.updated_at`

// Row by row, whatever the planner thinks: it must never read all events.
const deliveryJoins = `
      left join lateral (select enabled, deleted_at, probe_at from endpoints where workspace_id = $1 and id = d.endpoint_id limit 1) e on true
      left join lateral (select type, lead_id from events where workspace_id = $1 and id = d.event_id limit 1) v on true`

func scanDelivery(row interface{ Scan(...any) error }, before ...any) (d webhook.Delivery, err error) {
	err = row.Scan(append(before, &d.WorkspaceID, &d.ID, &d.EndpointID, &d.EventID, &d.EventType, &d.LeadID, &d.State, &d.Attempts, &d.NextAt,
		&d.LastStatus, &d.LastError, &d.CreatedAt, &d.UpdatedAt)...)
	return d, err
}

// floorOf and ceilOf are the ids between which the deliveries of an event are: their text begins with the same 20 characters (delivery_id).
func floorOf(event string) string {
	return `cast(left(cast(` + event + ` as text), 20) || '000-000000000000' as uuid)`
}

func ceilOf(event string) string {
	return `cast(left(cast(` + event + ` as text), 20) || 'fff-ffffffffffff' as uuid)`
}

// pageQuery is a statement for one page: "looked" are the deliveries looked at, "found" those of them that match. When the page is not
// full and more could be looked at, "edge" has the id where that begins; it comes as a last row that is no delivery.
func pageQuery(looked, more, edge string) string {
	return `
with looked as (` + looked + `), edge (id) as (` + edge + `), found as materialized (
    select ` + deliveryColumns + `
      from (select * from looked order by id desc) d ` + deliveryJoins + `
     where (cast($6 as text[]) is null or ` + shownState + ` = any($6)) and ($7 = '' or v.type = $7) ` + more + `
     order by d.id desc limit $8
)
select false, f.* from found f
union all
select true, $1, id, $1, $1, '', $1, '', 0, null, 0, '', now(), now() from edge where (select count(*) from found) < $8
 order by 1, 3 desc`
}

const deliveryRange = `d.workspace_id = $1 and d.id < $2 and d.id >= uuid_floor($3) and d.id < uuid_floor($4)`

var (
	// In the order of ids, of the workspace or of an endpoint.
	orderedPage = pageQuery(orderedDeliveries+`limit $5`, ``, `select id from (`+orderedDeliveries+`offset $5 - 1 limit 1) as l`)

	// A lead's events, and of each its deliveries.
	leadPage = pageQuery(`
    select d.* from (`+leadEvents+`limit $5) v
     cross join lateral (
        select * from deliveries d
         where d.workspace_id = $1 and d.event_id = v.id and d.id between `+floorOf("v.id")+` and `+ceilOf("v.id")+`
           and d.id < $2 and (cast($9 as uuid) is null or d.endpoint_id = $9)
        offset 0) d`, ``,
		`select `+floorOf("v.id")+` from (`+leadEvents+`offset $5 - 1 limit 1) v`)

	// Exhausted and held ones by their own small index: of each endpoint as many, so that all is seen down to the one that is furthest up.
	stuckPage = pageQuery(`
    select d.*, e.share from (
        select id, greatest(1, $5 / count(*) over ()) as share from endpoints e
         where workspace_id = $1 and (cast($9 as uuid) is null or id = $9)
           and exists (select from deliveries d where `+deliveryRange+` and d.endpoint_id = e.id and d.state in ('exhausted', 'held'))) e
     cross join lateral (
        select d.*, row_number() over (order by d.id desc) as nth from deliveries d
         where `+deliveryRange+` and d.endpoint_id = e.id and d.state in ('exhausted', 'held')
         order by d.id desc limit e.share) d`,
		`and d.id >= coalesce((select id from edge), '00000000-0000-0000-0000-000000000000')`,
		`select l.id from looked l where l.nth = l.share order by l.id desc limit 1`)

	// Pending ones by the index of what is due: they are few, or else easily found in the order of ids. The edge says that they are not few.
	pendingPage = pageQuery(`
    select d.* from deliveries d
     where d.workspace_id = $1 and (cast($9 as uuid) is null or d.endpoint_id = $9) and d.state = 'pending'
     order by d.endpoint_id, d.next_at, d.id limit $5 + 1`,
		`and not exists (select from edge) and `+deliveryRange, `select cast('`+uuid.Max.String()+`' as uuid) from looked offset $5 limit 1`)
)

const orderedDeliveries = `
    select d.* from deliveries d
     where ` + deliveryRange + ` and (cast($9 as uuid) is null or d.endpoint_id = $9)
     order by d.id desc `

var leadEvents = `
    select v.id from events v
     where v.workspace_id = $1 and v.lead_id = $10 and v.id >= uuid_floor($3) and v.id < uuid_floor($4)
       and v.id <= ` + ceilOf("cast($2 as uuid)") + ` and ` + floorOf("v.id") + ` < $2
     order by v.id desc `

// FindDeliveries returns a page of a workspace's deliveries and, unless it is the last one, the id that ends it. A page looks at a bounded
// number of rows, so it may be short or empty and yet not the last.
func (db *DB) FindDeliveries(ctx context.Context, workspace id.UUID, q DeliveryQuery) (found []webhook.Delivery, next id.UUID, err error) {
	stuck := len(q.States) > 0 && !slices.ContainsFunc(q.States, func(s webhook.State) bool { return s != webhook.Exhausted && s != webhook.Held })
	switch {
	case q.LeadID != (id.UUID{}):
		return db.deliveryPage(ctx, leadPage, workspace, q, q.LeadID)
	case slices.Equal(q.States, []webhook.State{webhook.Pending}):
		if found, next, err = db.deliveryPage(ctx, pendingPage, workspace, q); err != nil || next != uuid.Max {
			return found, next, err
		}
	case stuck:
		settled, err := db.settled(ctx, workspace, q)
		if err != nil {
			return nil, next, err
		}
		if settled {
			return db.deliveryPage(ctx, stuckPage, workspace, q)
		}
	}
	return db.deliveryPage(ctx, orderedPage, workspace, q)
}

// settled tells whether every delivery that is shown as held is stored as that.
func (db *DB) settled(ctx context.Context, workspace id.UUID, q DeliveryQuery) (yes bool, err error) {
	if !slices.Contains(q.States, webhook.Held) {
		return true, nil
	}
	const query = `
select not exists (
    select from endpoints e where e.workspace_id = $1 and (cast($2 as uuid) is null or e.id = $2) and not e.enabled and e.deleted_at is null
       and exists (select from deliveries d where d.workspace_id = $1 and d.endpoint_id = e.id and d.state = 'pending'))`
	err = db.QueryRowContext(ctx, query, workspace, optionalID(q.EndpointID)).Scan(&yes)
	return yes, fail(ctx, "find held deliveries", err)
}

func (db *DB) deliveryPage(ctx context.Context, query string, workspace id.UUID, q DeliveryQuery, more ...any) (found []webhook.Delivery, next id.UUID, err error) {
	from, until := span(q.Filter)
	args := []any{workspace, orNewest(q.Before), from, until, scanBudget(q.Scan), stateList(q.States), q.EventType, q.Limit + 1, optionalID(q.EndpointID)}
	rows, err := db.QueryContext(ctx, query, append(args, more...)...)
	if err != nil {
		return nil, next, fail(ctx, "list deliveries", err)
	}
	defer rows.Close()
	for rows.Next() {
		var edge bool
		d, err := scanDelivery(rows, &edge)
		switch {
		case err != nil:
			return nil, next, fail(ctx, "list deliveries", err)
		case edge:
			next = d.ID
		default:
			found = append(found, d)
		}
	}
	if len(found) > q.Limit { // one more than asked for tells that there is another page
		found = found[:q.Limit]
		next = found[q.Limit-1].ID
	}
	return found, next, fail(ctx, "list deliveries", rows.Err())
}

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
	const q = `select ` + deliveryColumns + ` from deliveries d ` + deliveryJoins + ` where d.workspace_id = $1 and d.id = $2`
	d, err := scanDelivery(db.QueryRowContext(ctx, q, workspace, delivery))
	if errors.Is(err, sql.ErrNoRows) {
		return d, deliveryNotFound()
	}
	return d, fail(ctx, "get delivery", err)
}

func deliveryNotFound() error { return fault.New(fault.NotFound, "Delivery not found") }

// HasEndpoint tells whether a workspace has or had this endpoint: a deleted one's deliveries can be read as long as they are kept.
func (db *DB) HasEndpoint(ctx context.Context, workspace, endpoint id.UUID) (yes bool, err error) {
	const q = `select exists (select from endpoints where workspace_id = $1 and id = $2)`
	err = db.QueryRowContext(ctx, q, workspace, endpoint).Scan(&yes)
	return yes, fail(ctx, "find endpoint", err)
}

// ResendDelivery makes a delivery due now; one that is not pending starts anew. It is a CONFLICT where that cannot be.
func (db *DB) ResendDelivery(ctx context.Context, workspace, delivery id.UUID) (webhook.Delivery, error) {
	// What is due already stays at its place in the order.
	const q = `
update deliveries d set state = 'pending', next_at = least(d.next_at, now()), updated_at = now(), tries = case when d.state = 'pending' then d.tries else 0 end
  from endpoints e, events v
 where d.workspace_id = $1 and d.id = $2
   and e.workspace_id = $1 and e.id = d.endpoint_id and e.enabled and e.deleted_at is null
   and v.workspace_id = $1 and v.id = d.event_id and v.type <> '` + webhook.WebhookTest + `'
returning ` + deliveryColumns
	d, err := scanDelivery(db.QueryRowContext(ctx, q, workspace, delivery))
	if errors.Is(err, sql.ErrNoRows) {
		return d, db.whyNotResent(ctx, workspace, delivery)
	}
	return d, fail(ctx, "resend delivery", err)
}

func (db *DB) whyNotResent(ctx context.Context, workspace, delivery id.UUID) error {
	const q = `
select coalesce(e.enabled, false), coalesce(e.deleted_at is not null, true), coalesce(v.type, '') from deliveries d ` + deliveryJoins + `
 where d.workspace_id = $1 and d.id = $2`
	var enabled, deleted bool
	var event string
	err := db.QueryRowContext(ctx, q, workspace, delivery).Scan(&enabled, &deleted, &event)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return deliveryNotFound()
	case err != nil:
		return fail(ctx, "resend delivery", err)
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
