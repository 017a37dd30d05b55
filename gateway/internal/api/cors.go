package api

import (
	"net/http"

	"leadgate/shared/tenant"
)

// preflightForm tells a browser whether a script of the asking page may send a form as JSON (Fetch standard, 4.8). Cookies never go along.
func (a *api) preflightForm(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	if _, _, err := a.openForm(w, r); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", "Content-Type")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
