package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// createConsoleSession creates a session and the link that opens it, which is in this answer and nowhere else.
func (a *api) createConsoleSession(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	in, err := tenants.ReadSession(body)
	if err != nil {
		return err
	}
	link, created, err := a.tenants.CreateSessionLink(r.Context(), p, in)
	if err != nil {
		return err
	}
	shown := tenants.ViewSessionLink(created, a.origin(r), link)
	httpx.AddLogField(r, "made", shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

// listConsoleSessions answers the sessions of the workspace that are kept, live or not, newest first.
func (a *api) listConsoleSessions(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	idOf := func(s tenant.Session) id.UUID { return s.ID }
	return list(id.ConsoleSession, a.DB.ListSessions, tenants.ViewSession, idOf)(w, r, p)
}

func (a *api) endConsoleSession(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.ConsoleSession)
	if err != nil {
		return err
	}
	if err := a.tenants.RevokeSession(r.Context(), tenants.KeyOf(p), wanted); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// endConsoleSessions signs everybody out.
func (a *api) endConsoleSessions(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	ended, err := a.tenants.RevokeSessions(r.Context(), tenants.KeyOf(p))
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, map[string]int{"ended": ended})
}
