package api

import (
	"net/http"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// audit is an audit entry as the API shows it.
type audit struct {
	ID        string         `json:"id"`
	Action    string         `json:"action"`
	Target    string         `json:"target"`
	KeyID     *string        `json:"keyId"` // null means the operator
	Details   map[string]any `json:"details"`
	CreatedAt string         `json:"createdAt"`
}

func showAudit(a tenant.AuditEntry) audit {
	return audit{id.Audit.Format(a.ID), a.Action, a.Target, optionalID(id.Key, a.KeyID), a.Details, stamp(a.CreatedAt)}
}

// listAudit answers the changes that were made with the workspace's keys and by the operator, newest first. They
// include what live keys do to keys of the sandbox; what the sandbox's keys do is in the sandbox's own audit.
func (a *api) listAudit(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	idOf := func(a tenant.AuditEntry) id.UUID { return a.ID }
	return list(id.Audit, a.DB.ListAudit, showAudit, idOf)(w, r, p)
}

// auditEntry is the audit entry of what the request's key does now.
func (a *api) auditEntry(p *tenant.Principal, action, target string, details map[string]any) *tenant.AuditEntry {
	return p.NewEntry(action, target, details, a.now())
}
