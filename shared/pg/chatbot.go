package pg

import (
	"context"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/tenant"
)

// maxChatbots is how many chatbots a workspace can have.
const maxChatbots = 10_000

const chatbotColumns = `workspace_id, id, name, created_at`

func scanChatbot(row conn.Row) (c tenant.Chatbot, err error) {
	return c, row.Scan(&c.WorkspaceID, &c.ID, &c.Name, &c.CreatedAt)
}

// CreateChatbot stores c and the audit entries: NOT_FOUND without its workspace, CONFLICT when that has 10,000
// chatbots.
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
	if err := lockWorkspace(ctx, tx, c.WorkspaceID); err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, q, c.WorkspaceID, c.ID, c.Name, c.CreatedAt, maxChatbots)
	if ownerMissing(err) {
		return workspaceNotFound()
	}
	if err != nil {
		return conn.Fail(ctx, "create chatbot", err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		return tooMany(maxChatbots, "chatbots")
	}
	return nil
}

// GetChatbot returns a workspace's chatbot; NOT_FOUND when there is none.
func (db *DB) GetChatbot(ctx context.Context, workspace, chatbot id.UUID) (tenant.Chatbot, error) {
	const q = `select ` + chatbotColumns + ` from chatbots where workspace_id = $1 and id = $2`
	return conn.One(ctx, db, "get chatbot", scanChatbot, chatbotNotFound(), q, workspace, chatbot)
}

// RenameChatbot renames a chatbot and returns it as it is then. The same name again changes nothing and writes no audit
// entries. NOT_FOUND when there is no such chatbot.
func (db *DB) RenameChatbot(ctx context.Context, workspace, chatbot id.UUID, name string,
	entries ...*tenant.AuditEntry) (c tenant.Chatbot, err error) {
	const read = `
select ` + chatbotColumns + ` from chatbots
 where workspace_id = $1 and id = $2
   for no key update`
	const write = `update chatbots set name = $3 where workspace_id = $1 and id = $2`
	err = db.InTx(ctx, func(tx *sqlx.Tx) error {
		c, err = conn.One(ctx, tx, "rename chatbot", scanChatbot, chatbotNotFound(), read, workspace, chatbot)
		if err != nil {
			return err
		}
		if c.Name == name {
			return nil
		}
		c.Name = name
		if _, err := conn.Exec(ctx, tx, "rename chatbot", write, workspace, chatbot, name); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
	return c, err
}

// DeleteChatbot deletes a chatbot; its leads keep its id. A new ChatbotsVersion in the workspace's settings makes
// gateways drop their cached chatbots within a second. NOT_FOUND when there is no such chatbot.
func (db *DB) DeleteChatbot(ctx context.Context, workspace, chatbot id.UUID, entries ...*tenant.AuditEntry) error {
	const remove = `delete from chatbots where workspace_id = $1 and id = $2`
	const invalidate = `
update workspaces
   set settings = jsonb_set(settings, '{chatbotsGone}',
           to_jsonb(coalesce((settings->>'chatbotsGone')::bigint, 0) + 1))
 where id = $1`
	return db.InTx(ctx, func(tx *sqlx.Tx) error {
		n, err := conn.Exec(ctx, tx, "delete chatbot", remove, workspace, chatbot)
		if err != nil {
			return err
		}
		if n == 0 {
			return chatbotNotFound()
		}
		if _, err := conn.Exec(ctx, tx, "delete chatbot", invalidate, workspace); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entries...)
	})
}

func chatbotNotFound() error { return fault.New(fault.NotFound, "Chatbot not found") }

// ListChatbots returns a workspace's chatbots after one of them, oldest first; a zero after means from the
// start. At most 1000.
func (db *DB) ListChatbots(ctx context.Context, workspace, after id.UUID, limit int) ([]tenant.Chatbot, error) {
	const q = `
select ` + chatbotColumns + ` from chatbots
 where workspace_id = $1 and id > $2
 order by id
 limit $3`
	return conn.Collect(ctx, db, "list chatbots", scanChatbot, q, workspace, after, page(limit))
}

// ChatbotExists reports whether the workspace has the chatbot.
func (db *DB) ChatbotExists(ctx context.Context, workspace, chatbot id.UUID) (exists bool, err error) {
	const q = `select exists (select from chatbots where workspace_id = $1 and id = $2)`
	err = db.GetContext(ctx, &exists, q, workspace, chatbot)
	return exists, conn.Fail(ctx, "look up chatbot", err)
}

// MissingChatbots returns which of chatbots the workspace does not have.
func (db *DB) MissingChatbots(ctx context.Context, workspace id.UUID, chatbots []id.UUID) ([]id.UUID, error) {
	const q = `
select c.id from unnest($2::uuid[]) as c (id)
 where not exists (select from chatbots where workspace_id = $1 and id = c.id)`
	var missing []id.UUID
	err := db.SelectContext(ctx, &missing, q, workspace, optionalIDs(chatbots))
	return missing, conn.Fail(ctx, "look up chatbots", err)
}
