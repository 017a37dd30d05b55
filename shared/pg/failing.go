package pg

import (
	"context"
	"database/sql"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/pg/conn"
	"leadgate/shared/webhook"
)

// FailingEndpoint is an endpoint that somebody should look after: it fails, or was disabled because it failed.
type FailingEndpoint struct {
	EndpointRef
	WorkspaceName string
	URL           string
	Description   string
	Since         time.Time // when it began to fail
	Failures      int       // in a row
	LastError     string
	Open          bool              // nothing but a probe is sent to it
	Disabled      *webhook.Disabled // nil: it is not
	Waiting       int               // pending deliveries, counted to maxWaitingCounted
	NextAt        *time.Time        // when the next is tried; nil: nothing waits
}

// maxWaitingCounted is to how many FailingEndpoints counts what waits for one endpoint.
const maxWaitingCounted = 1000

// FailingEndpoints returns up to limit endpoints that fail or were disabled for it, those that began last first, and
// not those that their owner has paused. It reads no endpoint that works. It looks across workspaces.
func (db *DB) FailingEndpoints(ctx context.Context, limit int) (all []FailingEndpoint, err error) {
	// $1 failures from which an endpoint is failing, $2 limit, $3 to how many what waits is counted
	q := `
with failing as materialized (
    select workspace_id, id, url, description, failing_since, coalesce(failing_since, disabled_at, updated_at) as since,
           failures, coalesce(last_error, '') as last_error, probe_at, enabled, disabled_at,
           coalesce(disabled_reason, '') as disabled_reason
      from endpoints
     where deleted_at is null and (failing_since is not null or not enabled) and coalesce(disabled_reason, '') <> 'owner'
       and (not enabled or probe_at is not null or failures >= $1)
     order by failing_since desc nulls last, workspace_id, id limit $2
)
select f.workspace_id, f.id, w.name, f.url, f.description, f.since, f.failures, f.last_error, f.probe_at is not null,
       f.enabled, f.disabled_at, f.disabled_reason, coalesce(p.n, 0), greatest(f.probe_at, p.next_at)
  from failing f
 cross join lateral (select name from workspaces where id = f.workspace_id limit 1) w
 ` + conn.Either(`cross join lateral (
    select count(*) as n, min(next_at) as next_at
      from (select next_at from deliveries
             where workspace_id = f.workspace_id and endpoint_id = f.id and state = 'pending'
             order by next_at limit $3) d) p`, `left join (
    select d.workspace_id, d.endpoint_id, least(count(*), $3) as n, min(d.next_at) as next_at
      from deliveries d join failing f on f.workspace_id = d.workspace_id and f.id = d.endpoint_id
     where d.state = 'pending' group by 1, 2) p on p.workspace_id = f.workspace_id and p.endpoint_id = f.id`) + `
 order by f.failing_since desc nulls last, f.workspace_id, f.id`
	scan := func(row conn.Row) (f FailingEndpoint, err error) {
		var enabled bool
		var disabled sql.NullTime
		var reason string
		err = row.Scan(&f.Workspace, &f.Endpoint, &f.WorkspaceName, &f.URL, &f.Description, &f.Since, &f.Failures,
			&f.LastError, &f.Open, &enabled, &disabled, &reason, &f.Waiting, &f.NextAt)
		if !enabled {
			f.Disabled = &webhook.Disabled{At: disabled.Time, Reason: reason}
		}
		if f.Waiting == 0 {
			f.NextAt = nil
		}
		return f, err
	}
	err = db.inOrderOfIndex(ctx, func(tx *sqlx.Tx) error {
		all, err = conn.Collect(ctx, tx, "list failing endpoints", scan, q, webhook.FailingThreshold, page(limit),
			maxWaitingCounted)
		return err
	})
	return all, err
}
