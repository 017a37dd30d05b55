package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// An erasure that takes longer than eraseWithin goes on as a job, once its first events are erased.
const (
	eraseWithin  = 3 * time.Second
	eraseTimeout = time.Minute // what was erased by then stays so, and a repetition goes on from there
)

// receipt is what an erasure came to. It is kept as the audit entry of the same id.
type receipt struct {
	ID         string  `json:"id"`
	LeadID     string  `json:"leadId"`
	State      string  `json:"state"` // running, done
	ErasedAt   *string `json:"erasedAt"`
	Erased     erased  `json:"erased"`
	Suppressed bool    `json:"suppressed"`
}

// erased counts what was erased so far.
type erased struct {
	Leads      int `json:"leads"`
	Events     int `json:"events"`
	Deliveries int `json:"deliveries"`
	Attempts   int `json:"attempts"`
	Answers    int `json:"answers"`
	Reports    int `json:"reports"`

	Submissions int `json:"submissions"`
}

// eraseLead erases a lead for good and answers the receipt: a whole one with 200, or with 202 that of a job.
func (a *api) eraseLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal, wanted id.UUID, suppress bool,
	m match) error {
	note := p.NewEntry(tenant.LeadErased, id.Lead.Format(wanted), nil, a.Now())
	ctx, cancel := context.WithTimeout(r.Context(), eraseTimeout)
	defer cancel()
	e, err := a.DB.EraseLead(ctx, p.WorkspaceID, wanted, pg.Erasure{Suppress: suppress, Note: note, Check: m.check,
		Within: a.EraseWithin})
	if err != nil {
		return err
	}
	a.Intake.Publish(ctx, intake.Change{Workspace: p.WorkspaceID, Lead: wanted, Released: e.ReleasedKey, Wake: e.Wake})
	shown := receipt{ID: id.Audit.Format(note.ID), LeadID: id.Lead.Format(wanted), State: "done",
		ErasedAt:   optionalStamp(&e.At),
		Erased:     erased{1, e.Events, e.Deliveries, e.Attempts, e.Answers, e.Reports, e.Submissions},
		Suppressed: suppress}
	if e.Running == (id.UUID{}) {
		return httpx.Data(w, http.StatusOK, shown)
	}
	shown.ID, shown.State, shown.ErasedAt, shown.Erased.Leads = id.Audit.Format(e.Running), "running", nil, 0
	locate(w, "/api/v1/erasures/", shown.ID)
	return httpx.Data(w, http.StatusAccepted, shown)
}

// getErasure answers the receipt of an erasure.
func (a *api) getErasure(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	e, err := pathRecord(r, p, id.Audit, a.DB.GetErasure)
	if err != nil {
		return err
	}
	shown := receipt{ID: id.Audit.Format(e.ID), LeadID: e.Target, State: "running"}
	if !e.Running {
		shown.State, shown.ErasedAt = "done", optionalStamp(&e.CreatedAt)
	}
	details, err := json.Marshal(e.Details)
	if err == nil {
		err = json.Unmarshal(details, &shown.Erased)
	}
	if err != nil {
		return fault.From(err)
	}
	shown.Suppressed = e.Details["suppressed"] == true
	return httpx.Data(w, http.StatusOK, shown)
}
