package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// createLead answers 201 when the lead is durable, or what was asked for when another lead has its email.
func (a *api) createLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	on, err := readOnDuplicate(r)
	if err != nil {
		return a.refuse(w, r, p, err)
	}
	chatbot, draft, err := a.readLead(w, r, p)
	if err != nil {
		return a.refuse(w, r, p, err)
	}
	// Without the client's end: a lead that is committed must not turn into an error.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), createTimeout)
	defer cancel()
	asked := keyed(r, intake.Request{Draft: draft, Chatbot: chatbot})
	for try := 1; ; try++ {
		l, verdict, err := a.Intake.Create(ctx, p, asked)
		tellLimit(w, p, verdict)
		if err == nil {
			httpx.AddLogField(r, "lead", id.Lead.Format(l.ID))
			locate(w, leadsPath, id.Lead.Format(l.ID))
			return a.answerLead(w, http.StatusCreated, &l, false)
		}
		holder, isDuplicate := intake.Holder(err)
		if !isDuplicate || on == lead.RefuseDuplicate || try == createTries {
			return err
		}
		if err := a.answerHolder(ctx, w, r, p, holder, draft, on); !fault.Is(err, fault.NotFound) {
			return err
		}
		// It was deleted meanwhile, or has another email: this one is free.
		a.Intake.InvalidateReservation(ctx, p.WorkspaceID, l.UniqueKey, holder)
		asked.Admitted = &verdict
	}
}

// createTries is how often a lead that is to give way to another, which is gone when it is looked at, is created anew.
const createTries = 3

// answerHolder answers the lead that has the email of draft, with what draft gives if that is asked for. NOT_FOUND: it has it no longer.
func (a *api) answerHolder(ctx context.Context, w http.ResponseWriter, r *http.Request, p *tenant.Principal, holder id.UUID, draft lead.Draft, on lead.OnDuplicate) error {
	httpx.AddLogField(r, "lead", id.Lead.Format(holder))
	httpx.AddLogField(r, "on_duplicate", string(on))
	if on == lead.UpdateDuplicate {
		u, err := a.DB.UpdateLead(ctx, p.WorkspaceID, holder, draft.Patch().Apply)
		if err != nil {
			return err
		}
		locate(w, leadsPath, id.Lead.Format(holder))
		return a.answerUpdated(w, r, p, &u)
	}
	l, err := a.DB.GetLead(ctx, p.WorkspaceID, holder)
	if err != nil {
		return err
	}
	if l.AddressKey() != draft.AddressKey {
		return fault.New(fault.NotFound, "Lead not found")
	}
	locate(w, leadsPath, id.Lead.Format(holder))
	return a.answerKnown(w, p, &l)
}

// leadsPath is where leads can be read.
const leadsPath = "/api/v1/leads/"

// readLead reads the chatbot of the path, if it has one, and the body. The chatbot comes first: a form that is
// wired to a wrong address should hear that before anything about its fields.
func (a *api) readLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) (chatbot id.UUID, d lead.Draft, err error) {
	if name, ok := mux.Vars(r)["chatbotId"]; ok {
		if chatbot, err = id.Chatbot.Parse(name); err != nil {
			return chatbot, d, fault.New(fault.ChatbotNotFound, "Chatbot not found in your workspace")
		}
		if err = a.Auth.Chatbot(r.Context(), p.WorkspaceID, chatbot); err != nil {
			return chatbot, d, err
		}
	}
	body, err := readJSON(w, r)
	if err != nil {
		return chatbot, d, err
	}
	d, err = lead.Parse(body, p.Settings.Statuses)
	return chatbot, d, err
}

// answerKnown is answerLead of a lead that was there before. A key that cannot read leads made or changed it and learns no more than that:
// writing must not be a way to read.
func (a *api) answerKnown(w http.ResponseWriter, p *tenant.Principal, l *lead.Lead) error {
	if p.May(tenant.LeadsRead) {
		return a.answerLead(w, http.StatusOK, l, true)
	}
	w.Header()["Etag"] = []string{etag(l)}
	return httpx.Data(w, http.StatusOK, struct {
		ID        string `json:"id"`
		UpdatedAt string `json:"updatedAt"`
	}{id.Lead.Format(l.ID), stamp(l.UpdatedAt)})
}

// answerLead sends l, and its version, in a reused buffer.
func (a *api) answerLead(w http.ResponseWriter, status int, l *lead.Lead, withEnrichment bool) error {
	w.Header()["Etag"] = []string{etag(l)}
	b := a.buffers.Get().(*[]byte)
	*b = l.AppendJSON((*b)[:0], withEnrichment)
	err := httpx.RawData(w, status, *b)
	a.buffers.Put(b)
	return err
}

// getLead answers a lead with its enrichment, which is null until facts were found.
func (a *api) getLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Lead)
	if err != nil {
		return err
	}
	l, err := a.DB.GetLead(r.Context(), p.WorkspaceID, wanted)
	if err != nil {
		return err
	}
	return a.answerLead(w, http.StatusOK, &l, true)
}

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
	body, err := readPatch(w, r)
	if err != nil {
		return err
	}
	patch, err := lead.ParsePatch(body, p.Settings.Statuses)
	if err != nil {
		return err
	}
	suppressed := error(nil)
	if p.Settings.Suppressing {
		suppressed = a.Intake.CheckSuppressed(r.Context(), p.WorkspaceID, patch)
	}
	u, err := a.DB.UpdateLead(r.Context(), p.WorkspaceID, wanted, func(l *lead.Lead) error {
		if err := m.check(l); err != nil {
			return err
		}
		moves := patch.AddressKey != "" && patch.AddressKey != l.AddressKey()
		if moves && suppressed != nil {
			return suppressed
		}
		if err := patch.Apply(l); err != nil {
			return err
		}
		if moves {
			l.UniqueKey = p.Settings.UniqueKey(patch.AddressKey, l.ChatbotID, l.ID)
		}
		return nil
	})
	if err != nil {
		return intake.AsDuplicate(err)
	}
	return a.answerUpdated(w, r, p, &u)
}

// leadOf is the lead that the path names; NOT_FOUND when there is none.
func (a *api) leadOf(r *http.Request, p *tenant.Principal) (id.UUID, error) {
	wanted, err := pathID(r, id.Lead)
	if err != nil {
		return wanted, err
	}
	httpx.AddLogField(r, "lead", id.Lead.Format(wanted))
	_, err = a.DB.GetLead(r.Context(), p.WorkspaceID, wanted)
	return wanted, err
}

// answerUpdated makes a change known and answers the lead as it is now.
func (a *api) answerUpdated(w http.ResponseWriter, r *http.Request, p *tenant.Principal, u *pg.Updated) error {
	if u.Changed {
		a.Intake.Publish(r.Context(), intake.ChangeOf(u))
	}
	return a.answerKnown(w, p, &u.Lead)
}

// restoreLead brings a deleted lead back, with its id; with If-Match only the version that the client knows.
func (a *api) restoreLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Lead)
	if err != nil {
		return err
	}
	httpx.AddLogField(r, "lead", id.Lead.Format(wanted))
	m, err := readMatch(r)
	if err != nil {
		return err
	}
	u, err := a.DB.RestoreLead(r.Context(), p.WorkspaceID, wanted, p.Settings, m.check)
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "No lead with this id was deleted in the last "+restorable+": it does not exist, is not deleted, or was erased")
	}
	if err != nil {
		return intake.AsDuplicate(err)
	}
	return a.answerUpdated(w, r, p, &u)
}

// restorable is lead.RestoreWithin in words.
var restorable = strconv.Itoa(int(lead.RestoreWithin.Hours()/24)) + " days"

// eraseTimeout is for leads of which hundreds of thousands of events tell. What was erased by then stays so, and a repetition goes on from there.
const eraseTimeout = time.Minute

// deleteLead deletes a lead so that it can be restored for lead.RestoreWithin, or erases it for good, deleted or not, and answers what that came to.
func (a *api) deleteLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Lead)
	if err != nil {
		return err
	}
	httpx.AddLogField(r, "lead", id.Lead.Format(wanted))
	q := readParams(r)
	erase, suppress := q.bool("erase"), q.bool("suppress")
	if suppress && !erase {
		q.addError("suppress", "Must go with erase=true: an email is suppressed when its lead is erased")
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
	a.Intake.Publish(ctx, intake.ChangeOf(&u))
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
	note := tenant.NewAuditEntry(p.WorkspaceID, p.KeyID, tenant.LeadErased, id.Lead.Format(wanted), nil, a.Now())
	ctx, cancel := context.WithTimeout(r.Context(), eraseTimeout)
	defer cancel()
	e, err := a.DB.EraseLead(ctx, p.WorkspaceID, wanted, pg.Erasure{Suppress: suppress, Note: note, Check: m.check})
	if err != nil {
		return err
	}
	a.Intake.Publish(ctx, intake.Change{Workspace: p.WorkspaceID, Lead: wanted, Released: e.ReleasedKey, Wake: e.Wake})
	shown := receipt{ID: id.Audit.Format(note.ID), LeadID: id.Lead.Format(wanted), ErasedAt: stamp(e.At), Suppressed: suppress}
	n := &shown.Erased
	n.Leads, n.Events, n.Deliveries, n.Attempts, n.Answers, n.Reports = 1, e.Events, e.Deliveries, e.Attempts, e.Answers, e.Reports
	return httpx.Data(w, http.StatusOK, shown)
}
