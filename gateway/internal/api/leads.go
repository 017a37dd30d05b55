package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/books"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/idempotency"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// createLead answers 201 when the lead is durable, or what onDuplicate asks for when another lead has its email. It
// takes the rate limit in one round trip with the reservation of the email. A request with an Idempotency-Key takes it
// before the key is looked up; nothing is reserved then, and Postgres decides about duplicates.
func (a *api) createLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	if !idempotency.Given(r) {
		_, err := a.putLead(w, r, p, nil)
		return err
	}
	admission, err := a.admit(w, r, p, nil)
	if err != nil {
		return err
	}
	handle := func(w http.ResponseWriter, r *http.Request, newID id.UUID) (idempotency.Result, error) {
		res, err := a.putLead(w, r, p, &keyedLead{newID, admission})
		a.countRefused(tenant.WayAPI, p, err) // Serve answers it
		return res, err
	}
	return a.Idempotency.Serve(w, r, idempotencyOf(p, maxBody), handle)
}

// keyedLead is what a request with an Idempotency-Key has before its body is read.
type keyedLead struct {
	id        id.UUID // of the lead that it creates
	admission intake.Admission
}

// idempotencyOf returns what of a request matters to its Idempotency-Key.
func idempotencyOf(p *tenant.Principal, maxBody int64) idempotency.Request {
	return idempotency.Request{Workspace: p.WorkspaceID, MaxBody: maxBody, WriteOnly: !p.May(tenant.LeadsRead)}
}

// putLead creates the lead that r asks for; keyed is nil without an Idempotency-Key. Invalid requests count against the
// rate limit too.
func (a *api) putLead(
	w http.ResponseWriter, r *http.Request, p *tenant.Principal, keyed *keyedLead,
) (res idempotency.Result, err error) {
	chatbot, draft, on, err := a.readLead(w, r, p)
	if err != nil {
		if keyed == nil {
			if _, limited := a.admit(w, r, p, nil); limited != nil {
				return res, limited
			}
		}
		return res, err
	}
	put := intake.Request{Draft: draft, OnDuplicate: on, Way: tenant.WayAPI}
	if keyed != nil {
		put.Lead, put.Admission = intake.NewLead(p, &draft, chatbot, keyed.id), keyed.admission
	} else {
		put.Lead = intake.NewLead(p, &draft, chatbot, id.UUID{})
		if put.Admission, err = a.admit(w, r, p, &put.Lead); err != nil {
			return res, err
		}
	}
	out, err := a.Intake.Put(r.Context(), p, put)
	if out.Existing && (err == nil || fault.IsDuplicate(err)) {
		res.Leads = []id.UUID{out.Lead.ID}
	}
	if out.Existing && on != lead.RefuseDuplicate {
		httpx.AddLogField(r, "lead", id.Lead.Format(out.Lead.ID))
		httpx.AddLogField(r, "on_duplicate", string(on))
	}
	if err != nil {
		return res, err
	}
	locate(w, leadsPath, id.Lead.Format(out.Lead.ID))
	if out.Existing {
		if on == lead.ReturnDuplicate {
			a.Books.Count(books.In{Workspace: p.WorkspaceID, Way: tenant.WayAPI}, tenant.RefusedDuplicate.Outcome(), 1)
		}
		return res, a.answerKnown(w, p, &out.Lead)
	}
	httpx.AddLogField(r, "lead", id.Lead.Format(out.Lead.ID))
	return res, a.answerLead(w, http.StatusCreated, &out.Lead, false)
}

// leadsPath is where leads can be read.
const leadsPath = "/api/v1/leads/"

// readLead reads the query, the chatbot of the path if it has one, and the body. The chatbot comes before the body: a
// client that is wired to a wrong address learns that before anything about its fields.
func (a *api) readLead(
	w http.ResponseWriter, r *http.Request, p *tenant.Principal,
) (chatbot id.UUID, d lead.Draft, on lead.OnDuplicate, err error) {
	if on, err = readOnDuplicate(r); err != nil {
		return chatbot, d, on, err
	}
	if name, ok := mux.Vars(r)["chatbotId"]; ok {
		if chatbot, err = id.Chatbot.Parse(name); err != nil {
			return chatbot, d, on, fault.New(fault.ChatbotNotFound, "Chatbot not found in your workspace")
		}
		if err = a.Auth.Chatbot(r.Context(), p.WorkspaceID, chatbot); err != nil {
			return chatbot, d, on, err
		}
	}
	body, err := httpx.ReadJSON(w, r, maxBody)
	if err != nil {
		return chatbot, d, on, err
	}
	d, err = lead.Parse(body, p.Settings.Rules())
	return chatbot, d, on, err
}

// answerKnown is answerLead of a lead that existed before. A client that may not read leads learns no more than that it
// exists and when it was updated.
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

// leadReadParams are those of what reads one lead; with deleted=true one that was deleted is found too.
var leadReadParams = []string{"deleted"}

// getLead answers a lead with its enrichment, which is null until facts were found.
func (a *api) getLead(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	l, err := a.readOneLead(r, p)
	if err != nil {
		return err
	}
	return a.answerLead(w, http.StatusOK, &l, true)
}

// readOneLead returns the lead that the path names. Where that was deleted, the error says how it can be read.
func (a *api) readOneLead(r *http.Request, p *tenant.Principal) (lead.Lead, error) {
	q := readParams(r)
	find := a.DB.GetLead
	if q.bool("deleted") {
		find = a.DB.GetLeadOrDeleted
	}
	if err := q.err(); err != nil {
		return lead.Lead{}, err
	}
	l, err := pathRecord(r, p, id.Lead, find)
	if fault.Is(err, fault.NotFound) && !q.bool("deleted") {
		if _, gone := pathRecord(r, p, id.Lead, a.DB.GetLeadOrDeleted); gone == nil {
			err = lead.DeletedError()
		}
	}
	return l, err
}

// updateLead changes the fields that are given, as a JSON merge patch (RFC 7396), and answers the lead as it is then.
// With If-Match it changes only the version that the client knows. What changes nothing is no change: no event, and
// updatedAt stays.
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
	patch, err := lead.ParsePatch(body, p.Settings.Rules())
	if err != nil {
		return err
	}
	u, err := a.DB.UpdateLead(r.Context(), p.WorkspaceID, wanted, func(l *lead.Lead) error {
		if err := m.check(l); err != nil {
			return err
		}
		former := l.AddressKey()
		if err := patch.Apply(l); err != nil {
			return err
		}
		if key := l.AddressKey(); key != former {
			l.UniqueKey = p.Settings.UniqueKey(key, l.ChatbotID, l.ID)
		}
		return nil
	})
	if err != nil {
		return intake.AsDuplicate(err)
	}
	return a.answerUpdated(w, r, p, &u)
}

// leadOf returns the id in the path; NOT_FOUND when there is no such lead.
func (a *api) leadOf(r *http.Request, p *tenant.Principal) (id.UUID, error) {
	wanted, err := pathID(r, id.Lead)
	if err != nil {
		return wanted, err
	}
	httpx.AddLogField(r, "lead", id.Lead.Format(wanted))
	_, err = a.DB.GetLead(r.Context(), p.WorkspaceID, wanted)
	return wanted, err
}

// answerUpdated publishes a change and answers the lead as it is now.
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
		return fault.New(fault.NotFound, "No lead with this id was deleted in the last "+restorable+
			": it does not exist, is not deleted, or was erased")
	}
	if err != nil {
		return intake.AsDuplicate(err)
	}
	return a.answerUpdated(w, r, p, &u)
}

// restorable is lead.RestoreWithin in words.
var restorable = strconv.Itoa(int(lead.RestoreWithin.Hours()/24)) + " days"

// deleteLead deletes a lead so that it can be restored for lead.RestoreWithin, or erases it for good, deleted or not,
// and answers what that came to.
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
