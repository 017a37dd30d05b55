package tenant

import (
	"time"

	"leadgate/shared/id"
)

// AuditEntry is one change of keys or settings, or of what cannot be undone: who did it and to what. It holds no secret
// and no personal data.
type AuditEntry struct {
	WorkspaceID id.UUID // of whoever did it; of what was changed, when the operator did
	ID          id.UUID
	KeyID       id.UUID // the key it was done with; zero: the operator
	SessionID   id.UUID // the console session it was done in, which Details name as consoleSession; zero: none
	Action      string
	Target      string         // the public id of what was changed
	Details     map[string]any // JSON
	CreatedAt   time.Time
}

// What is audited.
const (
	KeyCreated         = "key.created"
	KeyRotated         = "key.rotated"
	KeyRevoked         = "key.revoked"
	KeyUpdated         = "key.updated"
	WorkspaceCreated   = "workspace.created"
	WorkspaceUpdated   = "workspace.updated"
	WorkspaceSuspended = "workspace.suspended"
	WorkspaceResumed   = "workspace.resumed"
	WorkspaceExported  = "workspace.exported"
	ChatbotCreated     = "chatbot.created"
	ChatbotUpdated     = "chatbot.updated"
	ChatbotDeleted     = "chatbot.deleted"
	LeadErased         = "lead.erased"
	SubmissionReleased = "submission.released"
	SubmissionSpam     = "submission.marked_spam"
	SuppressionCreated = "suppression.created"
	SuppressionDeleted = "suppression.deleted"
	SessionCreated     = "console_session.created"
	SessionOpened      = "console_session.opened" // by its link
	SessionEnded       = "console_session.ended"
)

// NewAuditEntry notes what key did in workspace at now; a zero key is the operator.
func NewAuditEntry(workspace, key id.UUID, action, target string, details map[string]any, now time.Time) *AuditEntry {
	if details == nil {
		details = map[string]any{}
	}
	return &AuditEntry{WorkspaceID: workspace, ID: id.New(), KeyID: key, Action: action, Target: target, Details: details,
		CreatedAt: now}
}

// NewEntry notes what p does at now.
func (p *Principal) NewEntry(action, target string, details map[string]any, now time.Time) *AuditEntry {
	entry := NewAuditEntry(p.WorkspaceID, p.KeyID, action, target, details, now)
	entry.SessionID = p.SessionID
	return entry
}
