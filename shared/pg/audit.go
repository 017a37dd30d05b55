package pg

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// Limits of a workspace's changes in an hour: each leaves a row that is kept for AuditLife.
const (
	HourlyChanges      = 1000   // of its keys, settings and chatbots
	HourlySuppressions = 10_000 // emails suppressed and allowed again
	HourlySessions     = 1000   // console sessions made
)

// AuditLife is how long audit entries are kept.
const AuditLife = 400 * 24 * time.Hour

// insertAudit writes entries in the transaction of the change; nil ones and those without an action are left out.
// Changes made with a key are RATE_LIMITED beyond HourlyChanges, HourlySuppressions and HourlySessions, except those of
// unlimited. The operator's are not limited.
func insertAudit(ctx context.Context, on sqlx.ExtContext, entries ...*tenant.AuditEntry) error {
	const q = `
insert into audit (workspace_id, id, key_id, action, target, details, created_at)
values ($1, $2, $3, $4, $5, $6, $7)`
	for _, a := range entries {
		if a == nil || a.Action == "" {
			continue
		}
		if a.KeyID != (id.UUID{}) {
			if err := limitChanges(ctx, on, a.WorkspaceID, a.Action); err != nil {
				return err
			}
		}
		about := map[string]any{}
		maps.Copy(about, a.Details)
		if a.SessionID != (id.UUID{}) {
			about["consoleSession"] = id.ConsoleSession.Format(a.SessionID)
		}
		details, err := json.Marshal(about)
		if err != nil {
			return conn.Fail(ctx, "write audit", err)
		}
		_, err = conn.Exec(ctx, on, "write audit", q,
			a.WorkspaceID, a.ID, optionalID(a.KeyID), a.Action, a.Target, string(details), a.CreatedAt)
		if err != nil {
			return err
		}
	}
	return nil
}

var (
	// unlimited are erasures of leads, which the rate limit of requests bounds and which leave fewer rows than the
	// leads did, and what ends a key or a session: whoever finds one in the wrong hands, or is flooded by one, must be
	// able to end it. A session is opened and ended once, and its creation counts. A submission is decided about thrice
	// at most: as spam, released, and as spam again.
	unlimited = []string{tenant.LeadErased, tenant.KeyRevoked, tenant.KeyRotated, tenant.SessionOpened,
		tenant.SessionEnded, tenant.SubmissionReleased, tenant.SubmissionSpam}
	suppressions = []string{tenant.SuppressionCreated, tenant.SuppressionDeleted}
	sessions     = []string{tenant.SessionCreated}
)

// limitChanges is RATE_LIMITED when a workspace has made as many changes of an action's kind within the hour as it may.
func limitChanges(ctx context.Context, on sqlx.ExtContext, workspace id.UUID, action string) error {
	// $1 workspace, $2 actions, $3 whether these are counted or all others, $4 how many are allowed
	const q = `
select extract(epoch from created_at + interval '1 hour' - now()) from audit
 where workspace_id = $1 and id >= uuid_floor(now() - interval '1 hour')
   and key_id is not null and (action = any($2)) = $3
 order by id desc
offset $4 - 1 limit 1`
	actions, counted, most := slices.Concat(unlimited, suppressions, sessions), false, HourlyChanges
	what := "changes to its keys and settings"
	switch {
	case slices.Contains(unlimited, action):
		return nil
	case slices.Contains(suppressions, action):
		actions, counted, most = suppressions, true, HourlySuppressions
		what = "changes to its suppressed emails"
	case slices.Contains(sessions, action):
		actions, counted, most = sessions, true, HourlySessions
		what = "console sessions"
	}
	return limitHourly(ctx, on, most, what, q, workspace, pqStrings(&actions), counted, most)
}

// DeleteOldAudit deletes entries older than AuditLife, in batches. What is too much for one call is left to the next.
// It looks across workspaces.
func (db *DB) DeleteOldAudit(ctx context.Context) (deleted int, err error) {
	q := deleteFirst("audit", `created_at < now() - cast($1 as interval)`, "order by created_at")
	return conn.DeleteInBatches(ctx, db, "delete old audit", q, interval(AuditLife))
}

// ListAudit returns the audit entries of a workspace before one of them, newest first; a zero before means from the
// newest. At most 1000.
func (db *DB) ListAudit(ctx context.Context, workspace, before id.UUID, limit int) ([]tenant.AuditEntry, error) {
	const q = `
select workspace_id, id, key_id, action, target, details, created_at from audit
 where workspace_id = $1 and id < $2
 order by id desc
 limit $3`
	return conn.Collect(ctx, db, "list audit", scanAudit, q, workspace, orNewest(before), page(limit))
}

func scanAudit(row conn.Row) (a tenant.AuditEntry, err error) {
	var key uuid.NullUUID
	var details []byte
	if err := row.Scan(&a.WorkspaceID, &a.ID, &key, &a.Action, &a.Target, &details, &a.CreatedAt); err != nil {
		return a, err
	}
	a.KeyID = key.UUID
	return a, json.Unmarshal(details, &a.Details)
}
