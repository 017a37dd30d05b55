package tenants

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// Suspend suspends a workspace for the operator, from a body with the reason; again it changes the reason. Within a
// second every gateway refuses its keys, forms and console sessions, and no worker begins an attempt any more. The reason
// is not in the audit, which the workspace's own keys can read.
func (s Service) Suspend(ctx context.Context, workspace id.UUID, body []byte) (tenant.Workspace, error) {
	reason := ""
	in := strictjson.NewReader(body, []string{"reason"})
	rule := fmt.Sprintf("Must be 1 to %d characters: why the workspace is suspended, for other administrators",
		tenant.MaxReason)
	for in.Next() {
		text, given := in.String(rule)
		if reason = strings.TrimSpace(text); given && (reason == "" || utf8.RuneCountInString(reason) > tenant.MaxReason ||
			!utf8.ValidString(reason)) {
			in.Refuse(rule)
		}
	}
	if reason == "" {
		in.Require("reason", rule)
	}
	if err := in.Err(); err != nil {
		return tenant.Workspace{}, err
	}
	entry := s.entry(Operator(workspace), tenant.WorkspaceSuspended, id.Workspace.Format(workspace), nil)
	return s.DB.SuspendWorkspace(ctx, workspace, entry.CreatedAt, reason, entry)
}

// Resume ends a suspension for the operator: within a second keys, forms and sessions work again, and what waited is
// sent. Of a workspace that is not suspended it changes nothing.
func (s Service) Resume(ctx context.Context, workspace id.UUID) (tenant.Workspace, error) {
	entry := s.entry(Operator(workspace), tenant.WorkspaceResumed, id.Workspace.Format(workspace), nil)
	return s.DB.ResumeWorkspace(ctx, workspace, entry)
}

// mayVisit is a CONFLICT where the operator makes a session of a suspended workspace that may do more than look.
func (s Service) mayVisit(ctx context.Context, p *tenant.Principal, scopes []tenant.Scope) error {
	if p.KeyID != (id.UUID{}) || tenant.MayLook(scopes) {
		return nil
	}
	w, err := s.DB.GetWorkspace(ctx, p.WorkspaceID)
	if err == nil && w.Suspension != nil {
		err = fault.New(fault.Conflict, "The workspace is suspended: a link to its console may only read, with the scope "+
			string(tenant.LeadsRead)+" and no other")
	}
	return err
}
