package pg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// HourlyChanges is how many changes of its keys, settings and chatbots a workspace can make in an hour: each leaves a row that is kept for ever.
const HourlyChanges = 1000

// insertAudit writes what is done in the transaction it is given; a nil note, or one without an action, is left out.
// Changes made with a key are RATE_LIMITED beyond HourlyChanges; those of unlimited are not, nor what the operator does.
func insertAudit(ctx context.Context, on sqlx.ExtContext, notes ...*tenant.Audit) error {
	const q = `insert into audit (workspace_id, id, key_id, action, target, details, created_at) values ($1, $2, $3, $4, $5, $6, $7)`
	for _, a := range notes {
		if a == nil || a.Action == "" {
			continue
		}
		if a.KeyID != (id.UUID{}) && limited(a.Action) {
			if err := limitChanges(ctx, on, a.WorkspaceID); err != nil {
				return err
			}
		}
		details, err := json.Marshal(a.Details)
		if err != nil {
			return fail(ctx, "write audit", err)
		}
		if a.Details == nil {
			details = []byte("{}")
		}
		if _, err = on.ExecContext(ctx, q, a.WorkspaceID, a.ID, optionalID(a.KeyID), a.Action, a.Target, string(details), a.CreatedAt); err != nil {
			return fail(ctx, "write audit", err)
		}
	}
	return nil
}

// unlimited are the actions about leads: they have the rate limit of requests, and their rows go with them. And those that end a key:
// whoever finds a key in wrong hands, or is flooded by one, must always be able to.
var unlimited = []string{tenant.LeadErased, tenant.SuppressionCreated, tenant.SuppressionDeleted, tenant.KeyRevoked, tenant.KeyRotated}

func limited(action string) bool {
	for _, free := range unlimited {
		if action == free {
			return false
		}
	}
	return true
}

// limitChanges is RATE_LIMITED when a workspace made HourlyChanges within the hour; simultaneous ones may pass it by a few.
func limitChanges(ctx context.Context, on sqlx.ExtContext, workspace id.UUID) error {
	const q = `
select extract(epoch from created_at + interval '1 hour' - now()) from audit
 where workspace_id = $1 and id >= uuid_floor(now() - interval '1 hour') and key_id is not null and action <> all($2)
 order by id desc offset $3 - 1 limit 1`
	var wait float64
	err := on.QueryRowxContext(ctx, q, workspace, pqStrings(&unlimited), HourlyChanges).Scan(&wait)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fail(ctx, "count changes", err)
	}
	return &fault.Error{Kind: fault.RateLimited, Public: fmt.Sprintf("A workspace can make %d changes of its keys and settings an hour", HourlyChanges),
		RetryAfter: max(time.Second, time.Duration(wait*float64(time.Second)))}
}

// ListAudit returns what was done in a workspace before a note, newest first; a zero before begins at the newest. At most 1000.
func (db *DB) ListAudit(ctx context.Context, workspace, before id.UUID, limit int) ([]tenant.Audit, error) {
	const q = `
select workspace_id, id, key_id, action, target, details, created_at from audit
 where workspace_id = $1 and id < $2 order by id desc limit $3`
	rows, err := db.QueryContext(ctx, q, workspace, orNewest(before), page(limit))
	if err != nil {
		return nil, fail(ctx, "list audit", err)
	}
	defer rows.Close()
	var all []tenant.Audit
	for rows.Next() {
		var a tenant.Audit
		var key uuid.NullUUID
		var details []byte
		if err := rows.Scan(&a.WorkspaceID, &a.ID, &key, &a.Action, &a.Target, &details, &a.CreatedAt); err != nil {
			return nil, fail(ctx, "list audit", err)
		}
		if err := json.Unmarshal(details, &a.Details); err != nil {
			return nil, fail(ctx, "list audit", err)
		}
		a.KeyID = key.UUID
		all = append(all, a)
	}
	return all, fail(ctx, "list audit", rows.Err())
}
