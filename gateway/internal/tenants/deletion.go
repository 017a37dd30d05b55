package tenants

import (
	"context"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// EndExport notes that the operator has exported a workspace, beginning at a time.
func (s Service) EndExport(ctx context.Context, workspace id.UUID, began time.Time) error {
	entry := s.entry(Operator(workspace), tenant.WorkspaceExported, id.Workspace.Format(workspace), nil)
	return s.DB.EndExport(ctx, workspace, began, entry)
}

// Delete has a suspended workspace deleted for the operator, with all that it has, from a body with its name, so that it
// is not another one by mistake, and withoutExport where nobody wants an export. It is done by a worker, and nothing ends
// it. The audit goes with the workspace; the deletion says who wanted it.
func (s Service) Delete(ctx context.Context, workspace id.UUID, body []byte) (tenant.Deletion, error) {
	const rule = "Must be the name of the workspace that is to be deleted, as it is written there"
	name, withoutExport := "", false
	in := strictjson.NewReader(body, []string{"name", "withoutExport"})
	for in.Next() {
		switch in.Name() {
		case "name":
			name, _ = in.String(rule)
		case "withoutExport":
			withoutExport = in.Bool()
		}
	}
	if err := in.Err(); err != nil {
		return tenant.Deletion{}, err
	}
	d := tenant.Deletion{Workspace: workspace, RequestedBy: s.Administrator, RequestedAt: s.now()}
	return s.DB.DeleteWorkspace(ctx, d, func(w *tenant.Workspace) error {
		if strings.TrimSpace(name) != w.Name {
			return fault.InvalidField("name", fault.Truncate(name), rule)
		}
		if p := w.Suspension; p != nil && p.ExportedAt == nil && !withoutExport {
			return fault.New(fault.Conflict, "Nobody has exported the workspace since it was suspended: download its export, "+
				"or say withoutExport")
		}
		return nil
	})
}

// DeletionView is a deletion as JSON, and its receipt.
type DeletionView struct {
	WorkspaceID string         `json:"workspaceId"`
	SandboxID   *string        `json:"sandboxId"` // of its test data, deleted with it; null: it had none
	State       string         `json:"state"`     // erasing, checking, done
	RequestedBy *string        `json:"requestedBy"`
	RequestedAt string         `json:"requestedAt"`
	ExportedAt  *string        `json:"exportedAt"` // null: it was deleted without an export
	Erased      map[string]int `json:"erased"`     // rows by table, and keys in Redis
	ErasedAt    *string        `json:"erasedAt"`
	FinishedAt  *string        `json:"finishedAt"`
}

// ViewDeletion shows d.
func ViewDeletion(d tenant.Deletion) DeletionView {
	v := DeletionView{WorkspaceID: id.Workspace.Format(d.Workspace), State: "erasing", RequestedBy: optionalText(d.RequestedBy),
		RequestedAt: stamp(d.RequestedAt), ExportedAt: optionalStamp(d.ExportedAt), Erased: d.Erased,
		ErasedAt: optionalStamp(d.ErasedAt), FinishedAt: optionalStamp(d.FinishedAt)}
	switch {
	case d.FinishedAt != nil:
		v.State = "done"
	case d.ErasedAt != nil:
		v.State = "checking"
	}
	if d.Sandbox != (id.UUID{}) {
		v.SandboxID = optionalText(id.Workspace.Format(d.Sandbox))
	}
	return v
}

// Rows is how much was erased in all.
func (v DeletionView) Rows() (n int) {
	for _, count := range v.Erased {
		n += count
	}
	return n
}
