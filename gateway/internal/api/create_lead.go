package api

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
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
			httpx.Note(r, "lead", id.Lead.Format(l.ID))
			locate(w, l.ID)
			return a.answerLead(w, http.StatusCreated, &l, false)
		}
		holder, isDuplicate := intake.Holder(err)
		if !isDuplicate || on == intake.RefuseDuplicate || try == createTries {
			return err
		}
		if err := a.answerHolder(ctx, w, r, p, holder, draft, on); !fault.Is(err, fault.NotFound) {
			return err
		}
		// It was deleted meanwhile, or has another email: this one is free.
		a.Intake.Doubt(ctx, p.WorkspaceID, l.EmailKey, holder)
		asked.Admitted = &verdict
	}
}

// createTries is how often a lead that is to give way to another, which is gone when it is looked at, is created anew.
const createTries = 3

// answerHolder answers the lead that has the email of draft, with what draft gives if that is asked for. NOT_FOUND: it has it no longer.
func (a *api) answerHolder(ctx context.Context, w http.ResponseWriter, r *http.Request, p *tenant.Principal, holder id.UUID, draft lead.Draft, on intake.OnDuplicate) error {
	httpx.Note(r, "lead", id.Lead.Format(holder))
	httpx.Note(r, "on_duplicate", string(on))
	if on == intake.UpdateDuplicate {
		u, err := a.DB.UpdateLead(ctx, p.WorkspaceID, holder, draft.Patch().Apply)
		if err != nil {
			return err
		}
		locate(w, holder)
		return a.answerUpdated(w, r, p, &u)
	}
	l, err := a.DB.GetLead(ctx, p.WorkspaceID, holder)
	if err != nil {
		return err
	}
	if l.Address() != draft.EmailKey {
		return fault.New(fault.NotFound, "Lead not found")
	}
	locate(w, holder)
	return a.answerKnown(w, p, &l)
}

// locate says where a lead can be read.
func locate(w http.ResponseWriter, l id.UUID) {
	w.Header().Set("Location", "/api/v1/leads/"+id.Lead.Format(l))
}

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
	body, err := httpx.ReadJSON(w, r, maxBody)
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
