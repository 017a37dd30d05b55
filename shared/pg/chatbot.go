package pg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// maxChatbots is how many a workspace can have; simultaneous creations may pass it by a few.
const maxChatbots = 10_000

const chatbotColumns = `workspace_id, id, name, created_at`

func scanChatbot(row interface{ Scan(...any) error }) (c tenant.Chatbot, err error) {
	return c, row.Scan(&c.WorkspaceID, &c.ID, &c.Name, &c.CreatedAt)
}

// CreateChatbot stores c, and the notes with it: NOT_FOUND without its workspace, CONFLICT when that has 10,000 already.
func (db *DB) CreateChatbot(ctx context.Context, c tenant.Chatbot, entries ...*tenant.AuditEntry) error {
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := insertChatbot(ctx, tx, c); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
}

func insertChatbot(ctx context.Context, tx *sqlx.Tx, c tenant.Chatbot) error {
	const q = `
insert into chatbots (` + chatbotColumns + `)
select $1::uuid, $2::uuid, $3::text, $4::timestamptz
 where (select count(*) from chatbots where workspace_id = $1) < $5`
	res, err := tx.ExecContext(ctx, q, c.WorkspaceID, c.ID, c.Name, c.CreatedAt, maxChatbots)
	if ownerMissing(err) {
		return workspaceNotFound()
	}
	if err != nil {
		return fail(ctx, "create chatbot", err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		return fault.New(fault.Conflict, fmt.Sprintf("A workspace can have %d chatbots at most", maxChatbots))
	}
	return nil
}

// GetChatbot returns a workspace's chatbot; NOT_FOUND when there is none.
func (db *DB) GetChatbot(ctx context.Context, workspace, chatbot id.UUID) (tenant.Chatbot, error) {
	const q = `select ` + chatbotColumns + ` from chatbots where workspace_id = $1 and id = $2`
	c, err := scanChatbot(db.QueryRowContext(ctx, q, workspace, chatbot))
	if errors.Is(err, sql.ErrNoRows) {
		return c, chatbotNotFound()
	}
	return c, fail(ctx, "get chatbot", err)
}

// RenameChatbot gives a chatbot another name and returns what it is now. The same name again changes nothing, and writes no notes.
// NOT_FOUND when there is none.
func (db *DB) RenameChatbot(ctx context.Context, workspace, chatbot id.UUID, name string, entries ...*tenant.AuditEntry) (c tenant.Chatbot, err error) {
	const read = `select ` + chatbotColumns + ` from chatbots where workspace_id = $1 and id = $2 for no key update`
	const write = `update chatbots set name = $3 where workspace_id = $1 and id = $2`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		c, err = scanChatbot(tx.QueryRowContext(ctx, read, workspace, chatbot))
		if errors.Is(err, sql.ErrNoRows) {
			return chatbotNotFound()
		}
		if err != nil {
			return fail(ctx, "rename chatbot", err)
		}
		if c.Name == name {
			return nil
		}
		c.Name = name
		if _, err := tx.ExecContext(ctx, write, workspace, chatbot, name); err != nil {
			return fail(ctx, "rename chatbot", err)
		}
		return insertAudit(ctx, tx, entries...)
	})
	return c, err
}

// DeleteChatbot removes a chatbot; its leads keep its id. Its workspace's settings tell gateways, within a second, to look again which chatbots there are.
// NOT_FOUND when there is none.
func (db *DB) DeleteChatbot(ctx context.Context, workspace, chatbot id.UUID, entries ...*tenant.AuditEntry) error {
	const q = `delete from chatbots where workspace_id = $1 and id = $2`
	const tell = `
update workspaces set settings = jsonb_set(settings, '{chatbotsGone}', to_jsonb(coalesce((settings->>'chatbotsGone')::bigint, 0) + 1))
 where id = $1`
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, q, workspace, chatbot)
		if err != nil {
			return fail(ctx, "delete chatbot", err)
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return chatbotNotFound()
		}
		if _, err := tx.ExecContext(ctx, tell, workspace); err != nil {
			return fail(ctx, "delete chatbot", err)
		}
		return insertAudit(ctx, tx, entries...)
	})
}

func chatbotNotFound() error { return fault.New(fault.NotFound, "Chatbot not found") }

// ListChatbots returns a workspace's chatbots after one of them, oldest first; a zero after begins at the start. At most 1000.
func (db *DB) ListChatbots(ctx context.Context, workspace, after id.UUID, limit int) ([]tenant.Chatbot, error) {
	const q = `select ` + chatbotColumns + ` from chatbots where workspace_id = $1 and id > $2 order by id limit $3`
	rows, err := db.QueryContext(ctx, q, workspace, after, page(limit))
	if err != nil {
		return nil, fail(ctx, "list chatbots", err)
	}
	defer rows.Close()
	var all []tenant.Chatbot
	for rows.Next() {
		c, err := scanChatbot(rows)
		if err != nil {
			return nil, fail(ctx, "list chatbots", err)
		}
		all = append(all, c)
	}
	return all, fail(ctx, "list chatbots", rows.Err())
}

// ChatbotExists tells whether the workspace has the chatbot.
func (db *DB) ChatbotExists(ctx context.Context, workspace, chatbot id.UUID) (exists bool, err error) {
	const q = `select exists (select from chatbots where workspace_id = $1 and id = $2)`
	err = db.GetContext(ctx, &exists, q, workspace, chatbot)
	return exists, fail(ctx, "look up chatbot", err)
}

// MissingChatbots returns which of chatbots the workspace does not have.
func (db *DB) MissingChatbots(ctx context.Context, workspace id.UUID, chatbots []id.UUID) ([]id.UUID, error) {
	const q = `select c.id from unnest($2::uuid[]) as c (id) where not exists (select from chatbots where workspace_id = $1 and id = c.id)`
	var missing []id.UUID
	err := db.SelectContext(ctx, &missing, q, workspace, uuids(chatbots))
	return missing, fail(ctx, "look up chatbots", err)
}
