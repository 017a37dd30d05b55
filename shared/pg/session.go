package pg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// Bounds of console sessions.
const (
	maxLiveSessions = 1000               // of a workspace
	sessionKept     = 7 * 24 * time.Hour // how long one is kept after it expired
	// maxSessionAge is an age that no live session has: the clocks of gateways may differ by the rest
	maxSessionAge = tenant.MaxSessionLife + time.Hour
)

const sessionColumns = `s.workspace_id, s.id, s.key_id, s.name, s.scopes, s.frame_origins, s.brand, s.created_at,
       s.expires_at, s.link_expires_at, s.opened_at, s.ended_at`

func scanSession(row conn.Row) (tenant.Session, error) { return scanSessionAnd(row) }

// scanSessionAnd reads a session, and other columns behind it.
func scanSessionAnd(row conn.Row, others ...any) (s tenant.Session, err error) {
	var key uuid.NullUUID
	var scopes []string
	var brand []byte
	err = row.Scan(append([]any{&s.WorkspaceID, &s.ID, &key, &s.Name, pqStrings(&scopes), pqStrings(&s.FrameOrigins), &brand,
		&s.CreatedAt, &s.ExpiresAt, &s.LinkExpiresAt, &s.OpenedAt, &s.EndedAt}, others...)...)
	if err != nil {
		return s, err
	}
	s.KeyID, s.Scopes = key.UUID, convert[tenant.Scope](scopes)
	return s, json.Unmarshal(brand, &s.Brand)
}

// keyLives is the condition that the key that opened session s is live at $2, or that the operator opened it.
const keyLives = `(s.key_id is null or exists (
        select from api_keys k
         where k.workspace_id = s.workspace_id and k.id = s.key_id and k.revoked_at is null
           and (k.expires_at is null or k.expires_at > $2)))`

// CreateSession stores s under the hash of its secret, if it is opened, or of its link, and the audit entries:
// NOT_FOUND without its workspace, CONFLICT when that has 1000 sessions that are live or whose links are.
func (db *DB) CreateSession(ctx context.Context, s tenant.Session, hash [32]byte,
	entries ...*tenant.AuditEntry) error {
	// $8 creation, $10 expiry of the link, $11 opening, $12 hash, $13 the oldest that can live, $14 how many may
	const q = `
insert into console_sessions (workspace_id, id, key_id, name, scopes, frame_origins, brand, created_at, expires_at,
       link_expires_at, opened_at, secret_hash, link_hash)
select $1::uuid, $2::uuid, $3::uuid, $4::text, $5::text[], $6::text[], $7::json, $8::timestamptz, $9::timestamptz,
       $10::timestamptz, $11::timestamptz, case when cast($11 as timestamptz) is not null then cast($12 as bytea) end,
       case when cast($11 as timestamptz) is null then cast($12 as bytea) end
 where (select count(*) from console_sessions
         where workspace_id = $1 and id >= uuid_floor($13) and ended_at is null and expires_at > $8
           and (secret_hash is not null or link_expires_at > $8)) < $14`
	scopes, origins := convert[string](s.Scopes), append([]string{}, s.FrameOrigins...)
	brand, err := json.Marshal(s.Brand)
	if err != nil {
		return conn.Fail(ctx, "create session", err)
	}
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := lockWorkspace(ctx, tx, s.WorkspaceID); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, q, s.WorkspaceID, s.ID, optionalID(s.KeyID), s.Name, pqStrings(&scopes),
			pqStrings(&origins), string(brand), s.CreatedAt, s.ExpiresAt, s.LinkExpiresAt, s.OpenedAt, hash[:],
			s.CreatedAt.Add(-maxSessionAge), maxLiveSessions)
		if ownerMissing(err) {
			return workspaceNotFound()
		}
		if err != nil {
			return conn.Fail(ctx, "create session", err)
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return tooMany(maxLiveSessions, "live console sessions; end some first")
		}
		return insertAudit(ctx, tx, entries...)
	})
}

// OpenSession uses the link with a hash up: the session has the secret with the other hash from now on. note makes the
// audit entry. It is UNAUTHORIZED when the link is unknown, used or expired, or its session or key ended; of several
// callers at once one opens it. It looks across workspaces. The hash is what finds the workspace.
func (db *DB) OpenSession(ctx context.Context, link, secret [32]byte, now time.Time,
	note func(tenant.Session) *tenant.AuditEntry) (s tenant.Session, err error) {
	const q = `
update console_sessions s set link_hash = null, secret_hash = $3, opened_at = $2
 where s.link_hash = $1 and s.link_expires_at > $2 and s.expires_at > $2 and s.ended_at is null and ` + keyLives + `
returning ` + sessionColumns
	unusable := fault.New(fault.Unauthorized, "The link is not valid: it was used before, or has expired")
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		s, err = conn.One(ctx, tx, "open session", scanSession, unusable, q, link[:], now, secret[:])
		if err != nil {
			return err
		}
		return insertAudit(ctx, tx, note(s))
	})
	return s, err
}

// SessionByHash returns the session whose secret has this hash, and whom it acts for; UNAUTHORIZED when there is none,
// or it has ended, or its key has. It looks across workspaces. The hash is what finds the workspace.
func (db *DB) SessionByHash(ctx context.Context, hash [32]byte, now time.Time) (
	p tenant.Principal, s tenant.Session, err error) {
	const q = `
select ` + sessionColumns + `, k.scopes, k.expires_at, ` + settingsOf + `,
       coalesce(w.test_of, '00000000-0000-0000-0000-000000000000'), w.suspended_at
  from console_sessions s
  join workspaces w on w.id = s.workspace_id
  left join api_keys k on k.workspace_id = s.workspace_id and k.id = s.key_id
 where s.secret_hash = $1 and s.expires_at > $2 and s.ended_at is null and ` + keyLives
	var keyScopes []string
	var settings []byte
	s, err = scanSessionAnd(db.QueryRowContext(ctx, q, hash[:], now), pqStrings(&keyScopes), &p.ExpiresAt, &settings,
		&p.TestOf, &p.SuspendedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return p, s, fault.New(fault.Unauthorized, "The console session is not valid: it has ended or expired")
	}
	if err == nil {
		err = json.Unmarshal(settings, &p.Settings)
	}
	p.WorkspaceID, p.KeyID, p.SessionID, p.Kind = s.WorkspaceID, s.KeyID, s.ID, tenant.SecretKey
	p.Settings, p.Scopes = p.Settings.WithDefaults(), s.Scopes
	if s.KeyID != (id.UUID{}) {
		p.Scopes = slices.DeleteFunc(slices.Clone(s.Scopes), func(scope tenant.Scope) bool {
			return !slices.Contains(keyScopes, string(scope))
		})
	}
	return p, s, conn.Fail(ctx, "look up session", err)
}

// GetSession returns a workspace's session, live or not; NOT_FOUND when there is none.
func (db *DB) GetSession(ctx context.Context, workspace, session id.UUID) (tenant.Session, error) {
	const q = `select ` + sessionColumns + ` from console_sessions s where s.workspace_id = $1 and s.id = $2`
	return conn.One(ctx, db, "get session", scanSession, sessionNotFound(), q, workspace, session)
}

// ListSessions returns a workspace's sessions before one of them, live or not, newest first; a zero before means from
// the newest. At most 1000.
func (db *DB) ListSessions(ctx context.Context, workspace, before id.UUID, limit int) ([]tenant.Session, error) {
	const q = `
select ` + sessionColumns + ` from console_sessions s cross join ` + dearToSort + `
 where s.workspace_id = $1 and s.id < $2
 order by s.id desc
 limit $3`
	return conn.Collect(ctx, db, "list sessions", scanSession, q, workspace, orNewest(before), page(limit))
}

// EndSession ends a session at now, or the link that would open it; gateways follow within a second. Ending it again
// changes nothing and writes no audit entries. NOT_FOUND when there is no such session.
func (db *DB) EndSession(ctx context.Context, workspace, session id.UUID, now time.Time,
	entries ...*tenant.AuditEntry) error {
	const find = `select ended_at from console_sessions where workspace_id = $1 and id = $2 for no key update`
	const q = `
update console_sessions set ended_at = $3, secret_hash = null, link_hash = null where workspace_id = $1 and id = $2`
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		ended, err := conn.One(ctx, tx, "end session", conn.Value[sql.NullTime], sessionNotFound(), find, workspace, session)
		if err != nil || ended.Valid {
			return err
		}
		if _, err := conn.Exec(ctx, tx, "end session", q, workspace, session, now); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
}

// EndSessions ends all sessions of a workspace that have no scopes but these, and the links that would open them, and
// returns how many. note makes the audit entry of that many, if there were any.
func (db *DB) EndSessions(ctx context.Context, workspace id.UUID, scopes []tenant.Scope, now time.Time,
	note func(ended int) *tenant.AuditEntry) (ended int, err error) {
	// One that its link opens meanwhile is waited for, and ended too.
	const q = `
update console_sessions set ended_at = $2, secret_hash = null, link_hash = null
 where workspace_id = $1 and id >= uuid_floor($3) and ended_at is null and expires_at > $2
   and (secret_hash is not null or link_expires_at > $2) and scopes <@ $4`
	names := convert[string](scopes)
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := lockWorkspace(ctx, tx, workspace); err != nil { // nobody else ends them in another order
			return err
		}
		ended, err = conn.Exec(ctx, tx, "end sessions", q, workspace, now, now.Add(-maxSessionAge), pqStrings(&names))
		if err != nil || ended == 0 {
			return err
		}
		return insertAudit(ctx, tx, note(ended))
	})
	return ended, err
}

// DeleteOldSessions deletes sessions that expired 7 days ago, in batches, whether they were ended before or not. What
// is too much for one call is left to the next. It looks across workspaces.
func (db *DB) DeleteOldSessions(ctx context.Context) (deleted int, err error) {
	const old = `expires_at < now() - cast($1 as interval)`
	q := `delete from console_sessions where ` + conn.Either(`ctid = any(array(
    select s.ctid from console_sessions s cross join `+dearToSort+` where `+old+` order by s.expires_at limit $2))`,
		old+` and $2 > 0`)
	return conn.DeleteInBatches(ctx, db, "delete old sessions", q, interval(sessionKept))
}

func sessionNotFound() error { return fault.New(fault.NotFound, "Console session not found") }
