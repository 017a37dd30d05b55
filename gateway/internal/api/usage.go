package api

import (
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/tenant"
)

// usageDay is the usage of one day as the API shows it.
type usageDay struct {
	Day        string `json:"day"`
	Accepted   int64  `json:"accepted"`
	Duplicates int64  `json:"duplicates"`
	Rejected   int64  `json:"rejected"`
	Limited    int64  `json:"limited"`
	Held       int64  `json:"held"`
	Suppressed int64  `json:"suppressed"`
	Appended   int64  `json:"appended"`
}

// getUsage answers the days (UTC) of a range, newest first, days without requests included and future ones not. The
// default is the last 30 days. The counts are up to a second old, and older while Postgres is unavailable.
func (a *api) getUsage(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	from, until := params.days(a.Now(), maxDays)
	if err := params.err(); err != nil {
		return err
	}
	found, err := a.DB.ReadUsage(r.Context(), p.WorkspaceID, from, until)
	if err != nil {
		return err
	}
	shown := []usageDay{}
	last := until.AddDate(0, 0, -1)
	if today := tenant.Day(a.Now()); last.After(today) {
		last = today
	}
	for day := last; !day.Before(from); day = day.AddDate(0, 0, -1) {
		u := usageDay{Day: day.Format(time.DateOnly)}
		if len(found) > 0 && found[0].Day.Equal(day) {
			f := found[0]
			u.Accepted, u.Duplicates, u.Rejected, u.Limited = f.Accepted, f.Duplicates, f.Rejected, f.Limited
			u.Held, u.Suppressed, u.Appended = f.Held, f.Suppressed, f.Appended
			found = found[1:]
		}
		shown = append(shown, u)
	}
	return httpx.Page(w, shown, "")
}
