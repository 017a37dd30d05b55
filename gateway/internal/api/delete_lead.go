package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// eraseTimeout is for leads of which hundreds of thousands of events tell. What was erased by then stays so, and a repetition goes on from there.
const eraseTimeout = time.Minute

// deleteLead deletes a lead so that it can be restored for lead.RestoreWithin, or erases it for good, deleted or not, and answers what that came to.
func (a *api) deleteLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(mux.Vars(r)["id"], id.Lead, "Lead")
	if err != nil {
		return err
	}
	httpx.Note(r, "lead", id.Lead.Format(wanted))
	q := readParams(r)
	erase, suppress := q.flag("erase"), q.flag("suppress")
	if suppress && !erase {
		q.refuse("suppress", "Must go with erase=true: an email is suppressed when its lead is erased")
	}
	if err := q.err(); err != nil {
		return err
	}
	m, err := readMatch(r)
	if err != nil {
		return err
	}
	if erase {
		return a.eraseLead(w, r, p, wanted, suppress, m)
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	u, err := a.DB.DeleteLead(ctx, p.WorkspaceID, wanted, m.check)
	if err != nil {
		return err
	}
	a.Intake.Tell(ctx, intake.ToldOf(&u))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// receipt is what an erasure came to. It is kept as the audit entry of the same id.
type receipt struct {
	ID       string `json:"id"`
	LeadID   string `json:"leadId"`
	ErasedAt string `json:"erasedAt"`
	Erased   struct {
		Leads      int `json:"leads"`
		Events     int `json:"events"`
		Deliveries int `json:"deliveries"`
		Attempts   int `json:"attempts"`
		Answers    int `json:"answers"`
		Reports    int `json:"reports"`
	} `json:"erased"`
	Suppressed bool `json:"suppressed"`
}

func (a *api) eraseLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal, wanted id.UUID, suppress bool, m match) error {
	note := tenant.NewAudit(p.WorkspaceID, p.KeyID, tenant.LeadErased, id.Lead.Format(wanted), nil, a.Now())
	ctx, cancel := context.WithTimeout(r.Context(), eraseTimeout)
	defer cancel()
	e, err := a.DB.EraseLead(ctx, p.WorkspaceID, wanted, pg.Erasure{Suppress: suppress, Note: note, Check: m.check})
	if err != nil {
		return err
	}
	a.Intake.Tell(ctx, intake.Told{Workspace: p.WorkspaceID, Lead: wanted, Freed: e.Freed, Wake: e.Wake})
	shown := receipt{ID: id.Audit.Format(note.ID), LeadID: id.Lead.Format(wanted), ErasedAt: stamp(e.At), Suppressed: suppress}
	n := &shown.Erased
	n.Leads, n.Events, n.Deliveries, n.Attempts, n.Answers, n.Reports = 1, e.Events, e.Deliveries, e.Attempts, e.Answers, e.Reports
	return httpx.Data(w, http.StatusOK, shown)
}

// flag reads a parameter that is true or false; absent is false.
func (q *params) flag(name string) bool {
	switch q.Get(name) {
	case "true":
		return true
	case "false":
		return false
	}
	if q.Has(name) {
		q.refuse(name, "Must be true or false")
	}
	return false
}
