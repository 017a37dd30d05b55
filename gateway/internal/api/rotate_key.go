package api

import (
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// rotateKey makes a key that may do what another may and lives as long as that was made to live, but no longer than the key that asks;
// both work until the overlap is over.
// A request without a body takes the default overlap.
func (a *api) rotateKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	old, err := a.keyNamed(r, p)
	if err != nil {
		return err
	}
	overlap := tenant.DefaultOverlap
	if r.ContentLength != 0 {
		body, err := httpx.ReadJSON(w, r, maxBody)
		if err != nil {
			return err
		}
		in := strictjson.NewReader(body, []string{"overlapSeconds"})
		for in.Next() {
			if in.Given() {
				overlap = time.Duration(in.Integer(0, int(tenant.MaxOverlap/time.Second))) * time.Second
			}
		}
		if err := in.Err(); err != nil {
			return err
		}
	}
	if err := mayGrant(p, old.Kind, old.Scopes); err != nil { // whoever asks learns the new text
		return err
	}
	next := old.Successor(a.moment())
	next.ID = id.New()
	next.EndsBy(p.ExpiresAt)
	text, hash := next.Issue()
	shown := showIssued(next, text)
	details := map[string]any{"next": shown.ID, "mode": shown.Mode, "overlapSeconds": int(overlap / time.Second)}
	if err := a.DB.RotateKey(r.Context(), old.WorkspaceID, old.ID, next.CreatedAt.Add(overlap), next, hash, a.note(p, tenant.KeyRotated, id.Key.Format(old.ID), details)); err != nil {
		return err
	}
	httpx.Note(r, "made", shown.ID)
	w.Header().Set("Location", "/api/v1/keys/"+shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

// revokeKey ends a key for ever, within a second; again it changes nothing. A key may revoke itself: the operator can make another.
func (a *api) revokeKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	k, err := a.keyNamed(r, p)
	if err != nil {
		return err
	}
	note := a.note(p, tenant.KeyRevoked, id.Key.Format(k.ID), map[string]any{"mode": tenant.ModeOf(k.Test)})
	if err := a.DB.RevokeKey(r.Context(), k.WorkspaceID, k.ID, note.CreatedAt, note); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
