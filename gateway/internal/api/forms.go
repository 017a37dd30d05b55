package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/form"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// captchaRetry is the Retry-After while a verifier is away.
const captchaRetry = 10 * time.Second

// submitForm takes what a visitor filled in. Scripts get the envelope, and people who sent a plain form a page: their own site's, or ours.
// It answers the same whether the lead is new, is there already, may not come back or is a robot's: a form tells nobody whose emails a workspace has.
func (a *api) submitForm(w http.ResponseWriter, r *http.Request, _ *tenant.Principal) error {
	outcome, err := a.takeSubmission(w, r)
	if fault.Is(err, fault.RateLimited) {
		outcome = form.Limited
	}
	a.Forms.Count(outcome)
	return err
}

func (a *api) takeSubmission(w http.ResponseWriter, r *http.Request) (form.Outcome, error) {
	plain := !form.WantsJSON(r.Header)
	if plain {
		httpx.FailAs(r, form.WriteFailure)
	}
	// Without the client's end, as when a lead is created.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), createTimeout)
	defer cancel()
	r = r.WithContext(ctx)
	p, outcome, err := a.openForm(w, r)
	if err != nil {
		return outcome, err
	}
	outcome, err = a.answerSubmission(w, r, p, plain)
	a.countRejection(p.WorkspaceID, err)
	return outcome, err
}

// answerSubmission is what happens to a submission from a page that may use the form.
func (a *api) answerSubmission(w http.ResponseWriter, r *http.Request, p *tenant.Principal, plain bool) (form.Outcome, error) {
	ctx := r.Context()
	if wait := a.Forms.Limit(ctx, p, a.Forms.Client(r)); wait > 0 {
		return form.Limited, &fault.Error{Kind: fault.RateLimited, Public: "Too many submissions of this form, please try again later", RetryAfter: wait}
	}
	chatbot, err := a.formChatbot(ctx, p)
	if err != nil {
		return form.NoForm, err
	}
	s, err := readSubmission(w, r, *p.Form)
	if err != nil {
		return form.Invalid, err
	}
	wait := a.Forms.Arrived()
	next := ""
	if plain {
		if next, err = form.OriginsOf(p).Next(s, *p.Form, r.Header); err != nil {
			return form.Invalid, err
		}
	}
	outcome := form.Robot
	if !s.Robot() {
		draft, failed, err := a.checkSubmission(ctx, r, p, s)
		if err != nil {
			return failed, err
		}
		if outcome, err = a.takeIn(ctx, p, intake.Request{Draft: draft, Chatbot: chatbot, Slow: true}); err != nil {
			return outcome, err
		}
	}
	wait()
	switch {
	case !plain:
		return outcome, httpx.Data(w, http.StatusOK, struct {
			Received bool `json:"received"`
		}{true})
	case next != "":
		w.Header().Set("Location", next)
		w.WriteHeader(http.StatusSeeOther)
	default:
		form.WriteThanks(w, form.OriginsOf(p).Back(s, r.Header))
	}
	return outcome, nil
}

// openForm returns whose form the path names, once the page that asks may use it; what is answered from then on its scripts can read.
func (a *api) openForm(w http.ResponseWriter, r *http.Request) (*tenant.Principal, form.Outcome, error) {
	client := a.Forms.Client(r)
	if wait := a.Forms.Probing(client); wait > 0 {
		form.AdmitAnyone(w)
		return nil, form.Limited, &fault.Error{Kind: fault.RateLimited, Public: "Too many requests for forms that there are not", RetryAfter: wait}
	}
	p, err := a.Auth.FormKey(r.Context(), mux.Vars(r)["formKey"])
	if fault.Is(err, fault.NotFound) {
		a.Forms.Missed(client)
		form.AdmitAnyone(w)
		return nil, form.NoForm, err
	}
	if err != nil {
		return nil, form.Failed, err
	}
	httpx.AddLogField(r, "workspace", id.Workspace.Format(p.WorkspaceID))
	httpx.AddLogField(r, "key", id.Key.Format(p.KeyID))
	return p, form.NotAdmitted, form.OriginsOf(p).Admit(w, r.Header)
}

// formChatbot returns the chatbot whose leads the form makes; zero: none.
func (a *api) formChatbot(ctx context.Context, p *tenant.Principal) (chatbot id.UUID, err error) {
	if p.Form.ChatbotID == "" {
		return chatbot, nil
	}
	if chatbot, err = id.Chatbot.Parse(p.Form.ChatbotID); err == nil {
		err = a.Auth.Chatbot(ctx, p.WorkspaceID, chatbot)
	}
	if err != nil && !fault.Is(err, fault.Unavailable) {
		err = fault.New(fault.NotFound, "This form is closed: its chatbot is no longer there")
	}
	return chatbot, err
}

func readSubmission(w http.ResponseWriter, r *http.Request, f tenant.Form) (*form.Submission, error) {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, fault.New(fault.MediaType, "Content-Encoding is not supported; send the form uncompressed")
	}
	body, err := httpx.ReadBody(w, r, form.MaxBody)
	if err != nil {
		return nil, err
	}
	return form.Read(r.Header.Get("Content-Type"), body, f)
}

// checkSubmission returns the lead that s makes. Its captcha is looked at last: a token can be used once, and mistakes must not use it up.
func (a *api) checkSubmission(ctx context.Context, r *http.Request, p *tenant.Principal, s *form.Submission) (lead.Draft, form.Outcome, error) {
	f, referer := *p.Form, r.Header.Get("Referer")
	draft, err := s.Lead(f, p.Settings.Statuses, referer, false)
	if err != nil || f.Captcha == "" {
		return draft, form.Invalid, err
	}
	verdict, reason := a.Forms.Verify(ctx, p, s.Token, a.Forms.Client(r))
	if verdict == form.Human {
		return draft, "", nil
	}
	httpx.AddLogField(r, "captcha", reason.Error())
	switch verdict {
	case form.Misconfigured:
		return draft, form.Failed, &fault.Error{Kind: fault.Unavailable, Public: "This form cannot be used just now: its captcha is not set up right", RetryAfter: captchaRetry, Cause: reason}
	case form.Busy:
		return draft, form.Failed, fault.StoreUnavailable(reason, time.Second)
	case form.NotHuman:
		return draft, form.NotSolvedYet, form.NotSolved(f)
	}
	if f.Filled().CaptchaOutage == tenant.RefuseOutage {
		return draft, form.Failed, fault.StoreUnavailable(reason, captchaRetry)
	}
	draft, err = s.Lead(f, p.Settings.Statuses, referer, true)
	return draft, form.Invalid, err
}

// takeIn makes the lead durable, or changes the one that has its email where the form says so.
func (a *api) takeIn(ctx context.Context, p *tenant.Principal, req intake.Request) (form.Outcome, error) {
	for try := 1; ; try++ {
		l, verdict, err := a.Intake.Create(ctx, p, req)
		holder, taken := intake.Holder(err)
		switch {
		case err == nil:
			return form.Stored, nil
		case fault.Is(err, fault.Suppressed):
			a.countRejection(p.WorkspaceID, err)
			return form.Suppressed, nil
		case !taken:
			return form.Failed, err
		case p.Form.OnDuplicate != tenant.UpdateDuplicate:
			return form.Duplicate, nil
		}
		outcome, err := a.mergeSubmission(ctx, p, holder, req.Draft)
		if !fault.Is(err, fault.NotFound) {
			return outcome, err
		}
		if try == createTries {
			return form.Failed, fault.StoreUnavailable(err, time.Second)
		}
		// As when a lead is created: the other was deleted meanwhile, or has another email.
		a.Intake.InvalidateReservation(ctx, p.WorkspaceID, l.UniqueKey, holder)
		req.Admitted = &verdict
	}
}

// mergeSubmission changes the lead that has the email of d. Its source stays: that is where it came from first.
func (a *api) mergeSubmission(ctx context.Context, p *tenant.Principal, holder id.UUID, d lead.Draft) (form.Outcome, error) {
	d.NoSource = true
	updated, err := a.DB.UpdateLead(ctx, p.WorkspaceID, holder, d.Patch().Apply)
	switch {
	case fault.Is(err, fault.Validation): // too large once merged; to say so would tell that the lead is there
		return form.Duplicate, nil
	case err != nil:
		return form.Failed, err
	}
	if updated.Changed {
		a.Intake.Publish(ctx, intake.ChangeOf(&updated))
	}
	return form.Updated, nil
}

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
