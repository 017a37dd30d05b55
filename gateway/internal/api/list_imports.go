package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// listImports answers the workspace's imports, newest first.
func (a *api) listImports(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	limit, before := params.limit(), params.cursor(id.Import)
	if err := params.err(); err != nil {
		return err
	}
	// One more than asked for tells whether there is another page.
	found, err := a.DB.ListImports(r.Context(), p.WorkspaceID, before, limit+1)
	if err != nil {
		return err
	}
	next := ""
	if len(found) > limit {
		found = found[:limit]
		next = id.Import.Format(found[limit-1].ID)
	}
	shown := make([]importView, len(found))
	for i := range found {
		shown[i] = showImport(&found[i])
	}
	return httpx.Page(w, shown, next)
}
