package pg

import (
	"context"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// Event is something that happened, as long as it is kept.
type Event struct {
	ID        id.UUID
	Type      string
	LeadID    id.UUID // zero: it is of no lead
	ChatbotID id.UUID // zero: of no chatbot
	Data      []byte  // a JSON object; nil in lists
	CreatedAt time.Time
}

// EventQuery asks for one page of a workspace's events, newest first. A zero field takes all.
type EventQuery struct {
	Type      string
	LeadID    id.UUID
	ChatbotID id.UUID
	From      time.Time // at this time or later
	Until     time.Time // and before this one
	Before    id.UUID   // the end of the page before; zero: from the newest
	Limit     int       // events on the page
	Scan      int       // rows scanned for it at most; 0: PageScan
}

const eventColumns = `
       v.id, v.type, coalesce(v.lead_id, '00000000-0000-0000-0000-000000000000'),
       coalesce(v.chatbot_id, '00000000-0000-0000-0000-000000000000'), v.created_at`

func scanEvent(row conn.Row, more ...any) (e Event, err error) {
	err = row.Scan(append([]any{&e.ID, &e.Type, &e.LeadID, &e.ChatbotID, &e.CreatedAt}, more...)...)
	return e, err
}

// FindEvents returns a page of a workspace's events and, unless it is the last one, the id that ends it. A page scans a
// bounded number of rows, so it may be short or empty and yet not the last.
func (db *DB) FindEvents(ctx context.Context, workspace id.UUID, q EventQuery) (found []Event, next id.UUID,
	err error) {
	// $1 workspace, $2 id before which the page begins, $3 and $4 times, $5 rows to scan, $6 lead, $7 type, $8 chatbot,
	// $9 rows of the page and one more. As in a page of deliveries, the marker is a last row that is no event.
	const ofWorkspace = `
        select v.* from events v cross join ` + dearToSort + `
         where v.workspace_id = $1 and v.id < $2 and v.id >= uuid_floor($3) and v.id < uuid_floor($4)
           and cast($6 as uuid) is null
         order by v.id desc`
	const ofLead = `
        select v.* from events v
         where v.workspace_id = (select $1::uuid) and v.lead_id between $6 and $6
           and v.id < $2 and v.id >= uuid_floor($3) and v.id < uuid_floor($4)
         order by v.lead_id desc, v.id desc`
	inOrder := ofWorkspace
	if q.LeadID != (id.UUID{}) {
		inOrder = ofLead
	}
	query := `
with found as materialized (
    select ` + eventColumns + `
      from (` + inOrder + ` limit $5) v
     where ($7 = '' or v.type = $7) and (cast($8 as uuid) is null or v.chatbot_id = $8)
     order by v.id desc limit $9
), marker as (` + inOrder + ` offset $5 - 1 limit 1)
select f.*, false from found f
union all
select id, '', $1, $1, now(), true from marker where (select count(*) from found) < $9
 order by 6, 1 desc`
	from, until := idRange(q.From, q.Until)
	err = conn.Each(ctx, db, "list events", func(row conn.Row) error {
		var marker bool
		e, err := scanEvent(row, &marker)
		if marker {
			next = e.ID
		} else {
			found = append(found, e)
		}
		return err
	}, query, workspace, orNewest(q.Before), from, until, scanBudget(q.Scan), optionalID(q.LeadID), q.Type,
		optionalID(q.ChatbotID), q.Limit+1)
	if len(found) > q.Limit {
		found = found[:q.Limit]
		next = found[q.Limit-1].ID
	}
	return found, next, err
}

// GetEvent returns a workspace's event with its data.
func (db *DB) GetEvent(ctx context.Context, workspace, event id.UUID) (Event, error) {
	const q = `select ` + eventColumns + `, v.data from events v where v.workspace_id = $1 and v.id = $2`
	scan := func(row conn.Row) (Event, error) {
		var data []byte
		e, err := scanEvent(row, &data)
		e.Data = data
		return e, err
	}
	return conn.One(ctx, db, "get event", scan, fault.New(fault.NotFound, "Event not found"), q, workspace, event)
}

// EventDeliveries returns an event's deliveries, one for each endpoint that wanted it.
func (db *DB) EventDeliveries(ctx context.Context, workspace, event id.UUID) ([]webhook.Delivery, error) {
	const q = `
select ` + deliveryColumns + `
  from deliveries d ` + deliveryJoins + `
 where d.workspace_id = $1 and d.event_id = $2
   and d.id between cast(left(cast(cast($2 as uuid) as text), 20) || '000-000000000000' as uuid)
                and cast(left(cast(cast($2 as uuid) as text), 20) || 'fff-ffffffffffff' as uuid)
 order by d.id desc`
	return deliveries(ctx, db, q, workspace, event)
}

// deliveries reads rows of deliveryColumns.
func deliveries(ctx context.Context, on conn.Queryer, query string, args ...any) ([]webhook.Delivery, error) {
	scan := func(row conn.Row) (webhook.Delivery, error) { return scanDelivery(row) }
	return conn.Collect(ctx, on, "read deliveries", scan, query, args...)
}

// HasLead reports whether a workspace has this lead, or an event of it: a deleted one's events can be read as long as
// they are kept.
func (db *DB) HasLead(ctx context.Context, workspace, lead id.UUID) (bool, error) {
	const q = `
select exists (select from leads where workspace_id = (select $1::uuid) and id = $2)
    or exists (select from events where workspace_id = (select $1::uuid) and lead_id = $2)`
	return conn.One(ctx, db, "find lead", conn.Value[bool], nil, q, workspace, lead)
}
