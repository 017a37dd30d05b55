// Package tenants manages workspaces, chatbots and API keys: the public API, the admin API and the command line read,
// check, change, audit and show them here.
package tenants

import (
	"context"
	"strings"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// Service manages tenants. What it takes are the JSON bodies of the APIs: one that is not valid is a VALIDATION_ERROR
// that lists all its problems. Each change is audited in the actor's workspace, in the transaction that makes it.
type Service struct {
	DB            *pg.DB
	Now           func() time.Time
	Administrator string // who the operator is, for the audit; "": the command line
}

// Actor is who changes something, and in which workspace.
type Actor struct {
	Workspace id.UUID
	key       *tenant.Principal // nil means the operator
}

// Operator is the operator, who may change every workspace.
func Operator(workspace id.UUID) Actor { return Actor{Workspace: workspace} }

// KeyOf is the API key of a request.
func KeyOf(p *tenant.Principal) Actor { return Actor{Workspace: p.WorkspaceID, key: p} }

// expiresAt is when the actor's key expires; nil means never.
func (a Actor) expiresAt() *time.Time {
	if a.key == nil {
		return nil
	}
	return a.key.ExpiresAt
}

// inSandbox reports whether the actor is a key of a sandbox.
func (a Actor) inSandbox() bool { return a.key != nil && a.key.TestOf != (id.UUID{}) }

// entry is the audit entry of what the actor does now.
func (s Service) entry(by Actor, action, target string, details map[string]any) *tenant.AuditEntry {
	if by.key != nil {
		return by.key.NewEntry(action, target, details, s.now())
	}
	return s.signed(tenant.NewAuditEntry(by.Workspace, id.UUID{}, action, target, details, s.now()))
}

// signed says which administrator an entry of the operator's is by.
func (s Service) signed(entry *tenant.AuditEntry) *tenant.AuditEntry {
	if s.Administrator != "" && entry.KeyID == (id.UUID{}) {
		entry.Details["administrator"] = s.Administrator
	}
	return entry
}

// now is the current time in the resolution that answers have.
func (s Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// CreateChatbot creates a chatbot from a body with its name. A gateway that was asked for the chatbot before may take a
// second to know it.
func (s Service) CreateChatbot(ctx context.Context, by Actor, body []byte) (tenant.Chatbot, error) {
	c := tenant.Chatbot{WorkspaceID: by.Workspace, ID: id.New(), CreatedAt: s.now()}
	in := strictjson.NewReader(body, []string{"name"})
	named := false
	for in.Next() {
		c.Name, named = readName(in), true
	}
	requireName(in, named)
	if err := in.Err(); err != nil {
		return c, err
	}
	return c, s.DB.CreateChatbot(ctx, c, s.entry(by, tenant.ChatbotCreated, id.Chatbot.Format(c.ID), nil))
}

// UpdateChatbot applies a merge patch to chatbot c, of which only the name can change.
func (s Service) UpdateChatbot(ctx context.Context, by Actor, c tenant.Chatbot, body []byte) (tenant.Chatbot, error) {
	in := strictjson.NewReader(body, []string{"name"})
	name := ""
	for in.Next() {
		name = readName(in)
	}
	if err := in.Err(); err != nil || name == "" {
		return c, err
	}
	entry := s.entry(by, tenant.ChatbotUpdated, id.Chatbot.Format(c.ID), nil)
	return s.DB.RenameChatbot(ctx, by.Workspace, c.ID, name, entry)
}

// DeleteChatbot deletes a chatbot. Its leads stay and keep its id, and within a second no new ones are created for it.
func (s Service) DeleteChatbot(ctx context.Context, by Actor, chatbot id.UUID) error {
	entry := s.entry(by, tenant.ChatbotDeleted, id.Chatbot.Format(chatbot), nil)
	return s.DB.DeleteChatbot(ctx, by.Workspace, chatbot, entry)
}

// readName reads the name of a workspace, chatbot or key without the spaces around it; "" means that it is not valid.
func readName(in *strictjson.Reader) string {
	name, given := in.String("Must be a string")
	problem := tenant.CheckName(name)
	if problem == "" {
		return strings.TrimSpace(name)
	}
	if given || !in.Given() {
		in.Refuse(problem)
	}
	return ""
}

// requireName adds a problem when a body that must have a name has none.
func requireName(in *strictjson.Reader, named bool) {
	if !named {
		in.Require("name", tenant.CheckName(""))
	}
}
