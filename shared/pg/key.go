package pg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// Bounds of a workspace's keys.
const (
	maxLiveKeys = 1000
	keptKeys    = 1000 // how many keys that are no longer live are kept: the newest
)

const keyColumns = `k.workspace_id, k.id, k.name, k.hint, k.kind, coalesce(k.public, ''), k.form, w.test_of is not null,
       k.scopes, k.created_at, k.expires_at, k.revoked_at, k.last_used_at`

const keyTables = ` from api_keys k join workspaces w on w.id = k.workspace_id `

// scanKey reads a key, whose form is Unreadable where its secret cannot be opened.
func (db *DB) scanKey(row conn.Row) (k tenant.Key, err error) {
	var scopes []string
	var form []byte
	err = row.Scan(&k.WorkspaceID, &k.ID, &k.Name, &k.Hint, &k.Kind, &k.Public, &form, &k.Test, pqStrings(&scopes),
		&k.CreatedAt, &k.ExpiresAt, &k.RevokedAt, &k.LastUsedAt)
	if err != nil {
		return k, err
	}
	k.Scopes = convert[tenant.Scope](scopes)
	k.Form, err = db.openForm(k.WorkspaceID, k.ID, form)
	return k, err
}

// convert changes the string type of a list's items.
func convert[To, From ~string](from []From) []To {
	to := make([]To, len(from))
	for i, s := range from {
		to[i] = To(s)
	}
	return to
}

// CreateKey stores k under the hash of its secret, and the audit entries: NOT_FOUND without its workspace, CONFLICT
// when that has 1000 live keys.
func (db *DB) CreateKey(ctx context.Context, k tenant.Key, hash [32]byte, entries ...*tenant.AuditEntry) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := db.insertKey(ctx, tx, k, hash); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
}

func (db *DB) insertKey(ctx context.Context, tx *sqlx.Tx, k tenant.Key, hash [32]byte) error {
	// $7 creation, $8 expiry, $9 how many live keys are allowed, $10 kind, $11 the text of a publishable key, $12 form
	const q = `
insert into api_keys (workspace_id, id, hash, hint, name, scopes, created_at, expires_at, kind, public, form)
select $1::uuid, $2::uuid, $3::bytea, $4::text, $5::text, $6::text[], $7::timestamptz, $8::timestamptz,
       coalesce(nullif($10, ''), 'secret'), nullif($11, ''), cast($12 as json)
 where (select count(*) from api_keys
         where workspace_id = $1 and revoked_at is null and (expires_at is null or expires_at > $7)) < $9`
	if err := lockWorkspace(ctx, tx, k.WorkspaceID); err != nil {
		return err
	}
	scopes := convert[string](k.Scopes)
	form, err := db.sealForm(k.WorkspaceID, k.ID, k.Form)
	if err != nil {
		return conn.Fail(ctx, "create key", err)
	}
	res, err := tx.ExecContext(ctx, q, k.WorkspaceID, k.ID, hash[:], k.Hint, k.Name, pqStrings(&scopes), k.CreatedAt,
		k.ExpiresAt, maxLiveKeys, string(k.Kind), k.Public, form)
	if ownerMissing(err) {
		return workspaceNotFound()
	}
	if err != nil {
		return conn.Fail(ctx, "create key", err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		return tooMany(maxLiveKeys, "live API keys; revoke some first")
	}
	return deleteEndedKeys(ctx, tx, k.WorkspaceID, k.CreatedAt)
}

// deleteEndedKeys deletes the keys that have ended, except the newest keptKeys.
func deleteEndedKeys(ctx context.Context, on sqlx.ExecerContext, workspace id.UUID, now time.Time) error {
	const q = `
delete from api_keys where workspace_id = $1 and id in (
    select id from api_keys
     where workspace_id = $1 and (revoked_at is not null or expires_at <= $2)
     order by id desc
    offset $3)`
	_, err := conn.Exec(ctx, on, "delete ended keys", q, workspace, now, keptKeys)
	return err
}

// GetKey returns a workspace's key, live or not; NOT_FOUND when there is none.
func (db *DB) GetKey(ctx context.Context, workspace, key id.UUID) (tenant.Key, error) {
	const q = `select ` + keyColumns + keyTables + `where k.workspace_id = $1 and k.id = $2`
	return conn.One(ctx, db, "get key", db.scanKey, keyNotFound(), q, workspace, key)
}

// GetManagedKey returns a key of a workspace or of its sandbox, live or not; NOT_FOUND when there is none.
func (db *DB) GetManagedKey(ctx context.Context, workspace, key id.UUID) (tenant.Key, error) {
	const q = `select ` + keyColumns + keyTables + `where k.workspace_id in (` + managed + `) and k.id = $2`
	return conn.One(ctx, db, "get key", db.scanKey, keyNotFound(), q, workspace, key)
}

// managed are the workspaces whose keys workspace $1 manages: itself and its sandbox, if it has one.
const managed = `select $1::uuid union all select t.id from workspaces t where t.test_of = $1`

// ListKeys returns a workspace's keys before one of them, live or not, newest first; a zero before means from
// the newest. At most 1000.
func (db *DB) ListKeys(ctx context.Context, workspace, before id.UUID, limit int) ([]tenant.Key, error) {
	const q = `
select ` + keyColumns + keyTables + `
 where k.workspace_id = $1 and k.id < $2
 order by k.id desc
 limit $3`
	return conn.Collect(ctx, db, "list keys", db.scanKey, q, workspace, orNewest(before), page(limit))
}

// ListManagedKeys is ListKeys of a workspace and its sandbox.
func (db *DB) ListManagedKeys(ctx context.Context, workspace, before id.UUID, limit int) ([]tenant.Key, error) {
	const q = `
select ` + keyColumns + keyTables + `
 where k.workspace_id in (` + managed + `) and k.id < $2
 order by k.id desc
 limit $3`
	return conn.Collect(ctx, db, "list keys", db.scanKey, q, workspace, orNewest(before), page(limit))
}

// UpdateKey lets change alter a key's name and form, one caller at a time, and returns the key as it is then; gateways
// follow within a second. The audit entries are written as change leaves them. NOT_FOUND when there is no such key.
func (db *DB) UpdateKey(ctx context.Context, workspace, key id.UUID, change func(*tenant.Key) error,
	entries ...*tenant.AuditEntry) (k tenant.Key, err error) {
	const read = `
select ` + keyColumns + keyTables + `
 where k.workspace_id = $1 and k.id = $2
   for no key update of k`
	const write = `update api_keys set name = $3, form = $4 where workspace_id = $1 and id = $2`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		k, err = conn.One(ctx, tx, "update key", db.scanKey, keyNotFound(), read, workspace, key)
		if err != nil {
			return err
		}
		if err := change(&k); err != nil {
			return err
		}
		form, err := db.sealForm(k.WorkspaceID, k.ID, k.Form)
		if err != nil {
			return conn.Fail(ctx, "update key", err)
		}
		if _, err := conn.Exec(ctx, tx, "update key", write, workspace, key, k.Name, form); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
	return k, err
}

// RotateKey stores next beside the live key old, which expires at oldExpires unless it ends earlier; until then both
// work. NOT_FOUND when old is not a live key of the workspace.
func (db *DB) RotateKey(ctx context.Context, workspace, old id.UUID, oldExpires time.Time, next tenant.Key,
	hash [32]byte, entries ...*tenant.AuditEntry) error {
	const q = `
update api_keys set expires_at = least(expires_at, $3::timestamptz)
 where workspace_id = $1 and id = $2 and revoked_at is null and (expires_at is null or expires_at > $4)`
	next.WorkspaceID = workspace
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := db.insertKey(ctx, tx, next, hash); err != nil {
			return err
		}
		n, err := conn.Exec(ctx, tx, "rotate key", q, workspace, old, oldExpires, next.CreatedAt)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, "API key not found, or no longer live")
		}
		return insertAudit(ctx, tx, entries...)
	})
}

// RevokeKey ends a key at now, for good; gateways follow within a second. Revoking it again changes nothing and writes
// no audit entries. NOT_FOUND when there is no such key.
func (db *DB) RevokeKey(ctx context.Context, workspace, key id.UUID, now time.Time,
	entries ...*tenant.AuditEntry) error {
	const find = `select revoked_at from api_keys where workspace_id = $1 and id = $2 for no key update`
	const q = `update api_keys set revoked_at = $3 where workspace_id = $1 and id = $2`
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		revoked, err := conn.One(ctx, tx, "revoke key", conn.Value[sql.NullTime], keyNotFound(), find, workspace, key)
		if err != nil || revoked.Valid {
			return err
		}
		if _, err := conn.Exec(ctx, tx, "revoke key", q, workspace, key, now); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
}

func keyNotFound() error { return fault.New(fault.NotFound, "API key not found") }

// PrincipalByHash returns whom the key with this hash acts for; UNAUTHORIZED when no live key has it. It looks across
// workspaces. The hash is what finds the workspace.
func (db *DB) PrincipalByHash(ctx context.Context, hash [32]byte, now time.Time) (tenant.Principal, error) {
	const q = `
select k.workspace_id, k.id, k.kind, k.form, k.scopes, k.expires_at, k.revoked_at, ` + settingsOf + `,
       coalesce(w.test_of, '00000000-0000-0000-0000-000000000000'), w.suspended_at
  from api_keys k join workspaces w on w.id = k.workspace_id
 where k.hash = $1`
	var p tenant.Principal
	var k tenant.Key
	var scopes []string
	var settings, form []byte
	err := db.QueryRowContext(ctx, q, hash[:]).Scan(&p.WorkspaceID, &p.KeyID, &p.Kind, &form, pqStrings(&scopes),
		&k.ExpiresAt, &k.RevokedAt, &settings, &p.TestOf, &p.SuspendedAt)
	if err == nil {
		err = json.Unmarshal(settings, &p.Settings)
	}
	if err == nil {
		p.Form, err = db.openForm(p.WorkspaceID, p.KeyID, form)
	}
	if err == nil && p.Form != nil && p.Form.Unreadable != nil { // without its secret the form's captcha is open
		err = secretsUnreadable(p.Form.Unreadable)
	}
	if errors.Is(err, sql.ErrNoRows) || err == nil && !k.Live(now) {
		return tenant.Principal{}, fault.New(fault.Unauthorized,
			"The API key is not valid: it is unknown, expired or revoked")
	}
	p.Scopes, p.ExpiresAt, p.Settings = convert[tenant.Scope](scopes), k.ExpiresAt, p.Settings.WithDefaults()
	return p, conn.Fail(ctx, "look up key", err)
}

// TouchKeys records when keys were last used. A row that another gateway is touching is left to that one, so that
// neither waits.
func (db *DB) TouchKeys(ctx context.Context, uses []tenant.KeyUse) error {
	q := conn.Either(`
with u as (
    select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as u (workspace_id, id, at)
), free as (
    select k.workspace_id, k.id, u.at
      from api_keys k join u using (workspace_id, id)
     where k.last_used_at is null or k.last_used_at < u.at
       for no key update of k skip locked
)
update api_keys k set last_used_at = free.at
  from free
 where k.workspace_id = free.workspace_id and k.id = free.id`, `
update api_keys k set last_used_at = u.at
  from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as u (workspace_id, id, at)
 where k.workspace_id = u.workspace_id and k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at)`)
	if len(uses) == 0 {
		return nil
	}
	workspaces, keys, times := newColumn(uuids, len(uses)), newColumn(uuids, len(uses)), newColumn(times, len(uses))
	for _, u := range uses {
		workspaces.uuid(u.WorkspaceID)
		keys.uuid(u.KeyID)
		times.time(u.At)
	}
	_, err := conn.Exec(ctx, db, "touch keys", q, workspaces.done(), keys.done(), times.done())
	return err
}
