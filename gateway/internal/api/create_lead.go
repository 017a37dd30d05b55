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

// createLead answers 201 when the lead is durable.
func (a *api) createLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	chatbot, draft, err := a.readLead(w, r, p)
	if err != nil {
		return a.refuse(w, r, p, err)
	}
	// Without the client's end: a lead that is committed must not turn into an error.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), createTimeout)
	defer cancel()
	l, verdict, err := a.Intake.Create(ctx, p, keyed(r, intake.Request{Draft: draft, Chatbot: chatbot}))
	tellLimit(w, p, verdict)
	if err != nil {
		return err
	}
	name := id.Lead.Format(l.ID)
	httpx.Note(r, "lead", name)
	w.Header().Set("Location", "/api/v1/leads/"+name)
	return a.answerLead(w, http.StatusCreated, &l, false)
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

// answerLead sends l in a reused buffer.
func (a *api) answerLead(w http.ResponseWriter, status int, l *lead.Lead, withEnrichment bool) error {
	b := a.buffers.Get().(*[]byte)
	*b = l.AppendJSON((*b)[:0], withEnrichment)
	err := httpx.RawData(w, status, *b)
	a.buffers.Put(b)
	return err
}
