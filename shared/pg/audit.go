package pg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// What a workspace can change in an hour: each change leaves a row that is kept for AuditLife.
const (
	HourlyChanges      = 1000   // of its keys, settings and chatbots
	HourlySuppressions = 10_000 // emails suppressed and allowed again
)

// AuditLife is how long it is kept who changed what.
const AuditLife = 400 * 24 * time.Hour

// insertAudit writes what is done in the transaction it is given; a nil note, or one without an action, is left out.
// Changes made with a key are RATE_LIMITED beyond HourlyChanges and HourlySuppressions; those of unlimited are not, nor what the operator does.
func insertAudit(ctx context.Context, on sqlx.ExtContext, entries ...*tenant.AuditEntry) error {
	const q = `insert into audit (workspace_id, id, key_id, action, target, details, created_at) values ($1, $2, $3, $4, $5, $6, $7)`
	for _, a := range entries {
		if a == nil || a.Action == "" {
			continue
		}
		if a.KeyID != (id.UUID{}) {
			if err := limitChanges(ctx, on, a.WorkspaceID, a.Action); err != nil {
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

var (
	// unlimited are the erasures of leads: they have the rate limit of requests, and their rows are fewer than the leads'. And what ends a key:
	// whoever finds a key in wrong hands, or is flooded by one, must always be able to.
	unlimited    = []string{tenant.LeadErased, tenant.KeyRevoked, tenant.KeyRotated}
	suppressions = []string{tenant.SuppressionCreated, tenant.SuppressionDeleted}
)

// limitChanges is RATE_LIMITED when a workspace made as many changes of an action's kind within the hour as it may; simultaneous ones may pass
// that by a few.
func limitChanges(ctx context.Context, on sqlx.ExtContext, workspace id.UUID, action string) error {
	const q = `
select extract(epoch from created_at + interval '1 hour' - now()) from audit
 where workspace_id = $1 and id >= uuid_floor(now() - interval '1 hour') and key_id is not null and (action = any($2)) = $3
 order by id desc offset $4 - 1 limit 1`
	counted, are, most, what := slices.Concat(unlimited, suppressions), false, HourlyChanges, "changes of its keys and settings"
	switch {
	case slices.Contains(unlimited, action):
		return nil
	case slices.Contains(suppressions, action):
		counted, are, most, what = suppressions, true, HourlySuppressions, "changes of suppressed emails"
	}
	var wait float64
	err := on.QueryRowxContext(ctx, q, workspace, pqStrings(&counted), are, most).Scan(&wait)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fail(ctx, "count changes", err)
	}
	return &fault.Error{Kind: fault.RateLimited, Public: fmt.Sprintf("A workspace can make %d %s an hour", most, what),
		RetryAfter: max(time.Second, time.Duration(wait*float64(time.Second)))}
}

// DeleteOldAudit deletes what was noted longer than AuditLife ago, in batches. What is too much for one call is for the next.
func (db *DB) DeleteOldAudit(ctx context.Context) (deleted int, err error) {
	const q = `
delete from audit where (workspace_id, id) in (
    select workspace_id, id from audit where created_at < now() - cast($1 as interval) order by created_at limit $2)`
	deleted, err = db.deleteAll(ctx, q, AuditLife)
	return deleted, fail(ctx, "delete old audit", err)
}

// ListAudit returns what was done in a workspace before a note, newest first; a zero before begins at the newest. At most 1000.
func (db *DB) ListAudit(ctx context.Context, workspace, before id.UUID, limit int) ([]tenant.AuditEntry, error) {
	const q = `
select workspace_id, id, key_id, action, target, details, created_at from audit
 where workspace_id = $1 and id < $2 order by id desc limit $3`
	rows, err := db.QueryContext(ctx, q, workspace, orNewest(before), page(limit))
	if err != nil {
		return nil, fail(ctx, "list audit", err)
	}
	defer rows.Close()
	var all []tenant.AuditEntry
	for rows.Next() {
		var a tenant.AuditEntry
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
