package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// listKeys answers the keys of the workspace and of its twin, live or not, newest first.
func (a *api) listKeys(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	limit, before := params.limit(), params.cursor(id.Key)
	if err := params.err(); err != nil {
		return err
	}
	found, err := a.DB.ListManagedKeys(r.Context(), p.WorkspaceID, before, limit+1)
	if err != nil {
		return err
	}
	return answerPage(w, found, limit, showKey, func(k key) string { return k.ID })
}

func (a *api) getKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	k, err := a.keyNamed(r, p)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showKey(k))
}
