package pg

import (
	"context"
	"fmt"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// maxChatbots is how many a workspace can have; simultaneous creations may pass it by a few.
const maxChatbots = 10_000

// CreateChatbot stores c: NOT_FOUND without its workspace, CONFLICT when that has 10,000 already.
func (db *DB) CreateChatbot(ctx context.Context, c tenant.Chatbot) error {
	const q = `
insert into chatbots (workspace_id, id, name, created_at)
select $1::uuid, $2::uuid, $3::text, $4::timestamptz
 where (select count(*) from chatbots where workspace_id = $1) < $5`
	res, err := db.ExecContext(ctx, q, c.WorkspaceID, c.ID, c.Name, c.CreatedAt, maxChatbots)
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

// ListChatbots returns a workspace's chatbots after one of them, oldest first; a zero after begins at the start. At most 1000.
func (db *DB) ListChatbots(ctx context.Context, workspace, after id.UUID, limit int) ([]tenant.Chatbot, error) {
	const q = `select workspace_id, id, name, created_at from chatbots where workspace_id = $1 and id > $2 order by id limit $3`
	rows, err := db.QueryContext(ctx, q, workspace, after, page(limit))
	if err != nil {
		return nil, fail(ctx, "list chatbots", err)
	}
	defer rows.Close()
	var all []tenant.Chatbot
	for rows.Next() {
		var c tenant.Chatbot
		if err := rows.Scan(&c.WorkspaceID, &c.ID, &c.Name, &c.CreatedAt); err != nil {
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
