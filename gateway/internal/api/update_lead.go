package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// updateLead changes the fields that are given, as a JSON merge patch (RFC 7396), and answers the lead as it is then. With If-Match it
// changes only the version that the client knows. What changes nothing is no change: no event, and updatedAt stays.
func (a *api) updateLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := a.leadOf(r, p)
	if err != nil {
		return err // a wrong address is told before a wrong body
	}
	m, err := readMatch(r)
	if err != nil {
		return err
	}
	body, err := httpx.ReadJSON(w, r, maxBody, "application/merge-patch+json")
	if err != nil {
		return err
	}
	patch, err := lead.ParsePatch(body, p.Settings.Statuses)
	if err != nil {
		return err
	}
	suppressed := error(nil)
	if p.Settings.Suppressing {
		suppressed = a.Intake.Allowed(r.Context(), p.WorkspaceID, patch)
	}
	u, err := a.DB.UpdateLead(r.Context(), p.WorkspaceID, wanted, func(l *lead.Lead) error {
		if err := m.check(l); err != nil {
			return err
		}
		moves := patch.EmailKey != "" && patch.EmailKey != l.Address()
		if moves && suppressed != nil {
			return suppressed
		}
		if err := patch.Apply(l); err != nil {
			return err
		}
		if moves {
			l.EmailKey = p.Settings.UniqueKey(patch.EmailKey, l.ChatbotID, l.ID)
		}
		return nil
	})
	if err != nil {
		return intake.Conflict(err)
	}
	return a.answerUpdated(w, r, p, &u)
}

// leadOf is the lead that the path names; NOT_FOUND when there is none.
func (a *api) leadOf(r *http.Request, p *tenant.Principal) (id.UUID, error) {
	wanted, err := pathID(mux.Vars(r)["id"], id.Lead, "Lead")
	if err != nil {
		return wanted, err
	}
	httpx.Note(r, "lead", id.Lead.Format(wanted))
	_, err = a.DB.GetLead(r.Context(), p.WorkspaceID, wanted)
	return wanted, err
}

// answerUpdated makes a change known and answers the lead as it is now.
func (a *api) answerUpdated(w http.ResponseWriter, r *http.Request, p *tenant.Principal, u *pg.Updated) error {
	if u.Changed {
		a.Intake.Tell(r.Context(), intake.ToldOf(u))
	}
	return a.answerKnown(w, p, &u.Lead)
}
