package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// pathKey returns the key that the path names, of the workspace or of its sandbox.
func (a *api) pathKey(r *http.Request, p *tenant.Principal) (k tenant.Key, err error) {
	wanted, err := pathID(r, id.Key)
	if err != nil {
		return k, err
	}
	return a.tenants.GetKey(r.Context(), tenants.KeyOf(p), wanted)
}

// createKey creates a key of the workspace or, in test mode, of its sandbox. The text of a secret key is in this answer
// and nowhere else.
func (a *api) createKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	k, text, err := a.tenants.CreateKey(r.Context(), tenants.KeyOf(p), body)
	if err != nil {
		return err
	}
	return answerIssued(w, r, k, text)
}

// answerIssued answers with a key that was created, and its text.
func answerIssued(w http.ResponseWriter, r *http.Request, k tenant.Key, text string) error {
	shown := tenants.ViewIssued(k, text)
	httpx.AddLogField(r, "made", shown.ID)
	locate(w, "/api/v1/keys/", shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

// listKeys answers the keys of the workspace and of its sandbox, live or not, newest first.
func (a *api) listKeys(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	idOf := func(k tenant.Key) id.UUID { return k.ID }
	return list(id.Key, a.DB.ListManagedKeys, tenants.ViewKey, idOf)(w, r, p)
}

func (a *api) getKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	return get(id.Key, a.DB.GetManagedKey, tenants.ViewKey)(w, r, p)
}

// rotateKey creates a key's successor. A request without a body takes the default overlap.
func (a *api) rotateKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	old, err := a.pathKey(r, p) // an unknown key comes before a body that is not valid
	if err != nil {
		return err
	}
	body, err := readOptional(w, r)
	if err != nil {
		return err
	}
	overlap, err := tenants.ReadOverlap(body)
	if err != nil {
		return err
	}
	next, text, err := a.tenants.RotateKey(r.Context(), tenants.KeyOf(p), old, overlap)
	if err != nil {
		return err
	}
	return answerIssued(w, r, next, text)
}

func (a *api) updateKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	k, err := a.pathKey(r, p) // an unknown key comes before a body that is not valid
	if err != nil {
		return err
	}
	body, err := readPatch(w, r)
	if err != nil {
		return err
	}
	if k, err = a.tenants.UpdateKey(r.Context(), tenants.KeyOf(p), k, body); err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, tenants.ViewKey(k))
}

func (a *api) revokeKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Key)
	if err != nil {
		return err
	}
	if _, err := a.tenants.RevokeKey(r.Context(), tenants.KeyOf(p), wanted); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
