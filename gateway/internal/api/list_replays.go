package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

var replayParams = []string{"limit", "cursor"}

// listReplays answers the workspace's replays, newest first.
func (a *api) listReplays(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	limit, before := params.limit(), params.cursor(id.Replay)
	if err := params.err(); err != nil {
		return err
	}
	// One more than asked for tells whether there is another page.
	found, err := a.DB.ListReplays(r.Context(), p.WorkspaceID, before, limit+1)
	if err != nil {
		return err
	}
	next := ""
	if len(found) > limit {
		found = found[:limit]
		next = id.Replay.Format(found[limit-1].ID)
	}
	shown := make([]replay, len(found))
	for i, f := range found {
		shown[i] = showReplay(f)
	}
	return httpx.Page(w, shown, next)
}
