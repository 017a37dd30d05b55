package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// index points a person who opens the bare address to the documentation.
func (a *api) index(w http.ResponseWriter, _ *http.Request, _ *tenant.Principal) error {
	return httpx.Data(w, http.StatusOK, struct {
		Name string `json:"name"`
		Docs string `json:"docs"`
		API  string `json:"api"`
	}{"leadgate", "/docs", "/api/v1"})
}

type health struct {
	Status string `json:"status"`
}

// healthz answers as long as the process can: a restart would not mend a store.
func (a *api) healthz(w http.ResponseWriter, _ *http.Request, _ *tenant.Principal) error {
	return httpx.Data(w, http.StatusOK, health{"ok"})
}

// readyz answers whether this gateway should get requests.
func (a *api) readyz(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	if err := a.Ready(r.Context()); err != nil {
		return fault.Wrap(fault.Unavailable, "Not ready", err)
	}
	return httpx.Data(w, http.StatusOK, health{"ready"})
}
