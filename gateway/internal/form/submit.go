package form

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"leadgate/gateway/internal/form/captcha"
	"leadgate/gateway/internal/form/verdict"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/idempotency"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

const (
	submitTimeout = 20 * time.Second // more than all limits of its steps together
	captchaRetry  = 10 * time.Second // Retry-After while a verifier is unavailable
)

// request is one request of a form, from its arrival to its answer.
type request struct {
	*Service
	w       http.ResponseWriter
	r       *http.Request
	client  Client
	plain   bool   // a person sees the answer, not a script
	entries string // what a visitor typed whose page may not use the form; "": it is not shown

	// Set by open:
	p       *tenant.Principal
	form    tenant.Form // with its defaults
	origins Origins
	newID   id.UUID // of the lead and, with another end, of the submission, also when the request comes again; zero: new ones

	captcha verdict.CaptchaState // set by check
}

// Submit takes what a visitor sent to the form that key opens. Scripts get the envelope; people who sent a plain form
// get a page: their own site's, or ours. The answer is the same whether the lead is new, exists, is suppressed or
// is held: a form tells nobody whose emails a workspace has, and no robot whether it was found out.
func (s *Service) Submit(w http.ResponseWriter, r *http.Request, key string) error {
	// net/http cancels when the client closes its sending side, and yet that client may wait for its answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), submitTimeout)
	defer cancel()
	q := &request{Service: s, w: w, r: r.WithContext(ctx), client: s.Client(r), plain: !WantsJSON(r.Header)}
	httpx.FailAs(r, q.fail)
	outcome, err := q.open(key)
	if outcome == NotAdmitted && err != nil {
		q.refused(err)
	}
	answered := false // a failure too
	if err == nil {
		outcome, answered, err = q.once()
	}
	if fault.Is(err, fault.RateLimited) {
		outcome = Limited
	}
	q.count(outcome, err)
	s.submissions.WithLabelValues(string(outcome)).Inc()
	if answered {
		return nil
	}
	return err
}

// once takes a submission, and one with an Idempotency-Key a single time. Whoever repeats that gets the answer again;
// keys are the form's own.
func (q *request) once() (outcome Outcome, answered bool, err error) {
	if wait := q.limit(); wait > 0 {
		return Limited, false, tooMany("This form was sent too often. Please try again later.", wait)
	}
	if !idempotency.Given(q.r) {
		outcome, err = q.submit()
		return outcome, false, err
	}
	outcome = Repeated
	which := idempotency.Request{Workspace: q.p.WorkspaceID, Form: q.p.KeyID, MaxBody: MaxBody, WriteOnly: true}
	var failed error
	err = q.Once.Serve(q.w, q.r, which, func(w http.ResponseWriter, r *http.Request, newID id.UUID) (
		idempotency.Result, error) {
		q.w, q.r, q.newID = w, r, newID
		outcome, failed = q.submit()
		return idempotency.Result{}, failed
	})
	if err != nil {
		return Failed, false, err
	}
	return outcome, true, failed
}

// Preflight answers whether a script of the asking page may send the form that key opens as JSON (Fetch standard, 4.8).
// Cookies never go along.
func (s *Service) Preflight(w http.ResponseWriter, r *http.Request, key string) error {
	q := &request{Service: s, w: w, r: r, client: s.Client(r)}
	if outcome, err := q.open(key); err != nil && outcome != NotAdmitted {
		return err // a page that may not use the form learns that from the answer to what it sends
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", allowedHeaders(r.Header))
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// maxAskedHeaders is how many bytes of names of headers a preflight may ask for.
const maxAskedHeaders = 1024

// allowedHeaders returns the headers that a script may send: those that it asks for, because libraries add their own
// and none of them means anything here. Names only (RFC 9110, 5.6.2): nothing else is told back.
func allowedHeaders(h http.Header) string {
	allowed := []string{"Content-Type"}
	asked := strings.Join(h.Values("Access-Control-Request-Headers"), ",")
	if len(asked) > maxAskedHeaders {
		return allowed[0]
	}
	for name := range strings.SplitSeq(asked, ",") {
		if name = strings.TrimSpace(name); httpguts.ValidHeaderFieldName(name) && !strings.EqualFold(name, allowed[0]) {
			allowed = append(allowed, name)
		}
	}
	return strings.Join(allowed, ", ")
}

// open finds the form and checks that the asking page may use it. From then on scripts of that page can read the
// answer.
func (q *request) open(key string) (Outcome, error) {
	if wait := q.blocked(q.client); wait > 0 {
		AdmitAnyone(q.w)
		return Limited, tooMany("Too many requests with unknown form keys. Please try again later.", wait)
	}
	p, err := q.Auth.FormKey(q.r.Context(), key)
	if fault.Is(err, fault.NotFound) {
		q.unknownForm(q.client)
		AdmitAnyone(q.w)
		return NoForm, err
	}
	if fault.Is(err, fault.WorkspaceSuspended) {
		AdmitAnyone(q.w)
		return Closed, err
	}
	if err != nil {
		return Failed, err
	}
	httpx.AddLogField(q.r, "workspace", id.Workspace.Format(p.WorkspaceID))
	httpx.AddLogField(q.r, "key", id.Key.Format(p.KeyID))
	httpx.ChargeTo(q.r, p.Payer())
	q.p, q.form, q.origins = p, p.Form.WithDefaults(), OriginsOf(p)
	return NotAdmitted, q.origins.Admit(q.w, q.r.Header)
}

func tooMany(text string, wait time.Duration) error {
	return &fault.Error{Kind: fault.RateLimited, Public: text, RetryAfter: wait}
}

// submit takes a submission from a page that may use the form, and answers it.
func (q *request) submit() (Outcome, error) {
	chatbot, err := q.chatbot()
	if err != nil {
		return NoForm, err
	}
	s, err := q.read()
	if err != nil {
		return Invalid, err
	}
	arrived := q.Now()
	next := ""
	if q.plain {
		var wrong error
		if next, wrong = q.origins.Next(s, q.form, q.r.Header); wrong != nil { // costs the redirect, not the lead
			s.Warn(tenant.FormNext, fault.From(wrong).Fields()[0].Message)
		}
	}
	draft, outcome, err := q.check(s)
	if err == nil {
		outcome, err = q.keep(s, draft, chatbot)
	}
	if err != nil {
		return outcome, err
	}
	q.waitUntil(arrived.Add(q.MinResponseTime))
	return outcome, q.thank(s, next)
}

// chatbot returns the chatbot whose leads the form makes; zero: none.
func (q *request) chatbot() (chatbot id.UUID, err error) {
	if q.form.ChatbotID == "" {
		return chatbot, nil
	}
	if chatbot, err = id.Chatbot.Parse(q.form.ChatbotID); err == nil {
		err = q.Auth.Chatbot(q.r.Context(), q.p.WorkspaceID, chatbot)
	}
	if err != nil && !fault.Is(err, fault.Unavailable) {
		err = fault.New(fault.NotFound, "This form is closed because its chatbot was deleted.")
	}
	return chatbot, err
}

func (q *request) read() (*Submission, error) {
	if enc := q.r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, fault.New(fault.MediaType, "Content-Encoding is not supported; send the form uncompressed")
	}
	body, err := httpx.ReadBody(q.w, q.r, MaxBody)
	if err != nil {
		return nil, err
	}
	return Read(q.r.Header.Get("Content-Type"), body, q.form)
}

// check returns the lead that s makes, or the outcome and the error. The captcha is verified last, because its token
// can be used only once and mistakes must not use it up.
func (q *request) check(s *Submission) (draft lead.Draft, failed Outcome, err error) {
	rules, referer := q.p.Settings.Rules(), q.r.Header.Get("Referer")
	q.excuse(s)
	draft, err = s.Lead(q.form, rules, referer, false)
	if err != nil || q.form.Captcha == "" {
		return draft, Invalid, err
	}
	solved, err := q.verify(s.Token)
	if err != nil {
		return draft, Failed, err
	}
	q.captcha = verdict.CaptchaSolved
	switch {
	case solved == captcha.NotHuman:
		wrong := english.say(captchaFailed)
		return draft, NotSolved, invalid([]fault.Field{{Field: tenant.CaptchaField(q.form.Captcha), Message: wrong}},
			mistakes{{says: captchaFailed}})
	case solved == captcha.Unavailable:
		q.captcha = verdict.CaptchaOutage
		draft, err = s.Lead(q.form, rules, referer, true)
	}
	return draft, Invalid, err
}

// verify asks the form's verifier about a token. The verdict is Human, NotHuman, or Unavailable where the form accepts
// that.
func (q *request) verify(token string) (captcha.Verdict, error) {
	wait, cancel := context.WithTimeout(q.r.Context(), captcha.Timeout)
	defer cancel()
	release, err := q.verifying.Acquire(wait, q.p.Payer())
	if err != nil { // too many are being verified, which must not open a form
		httpx.AddLogField(q.r, "captcha", err.Error())
		return 0, fault.StoreUnavailable(fmt.Errorf("wait for a verification: %w", err), time.Second)
	}
	defer release()
	question := captcha.Question{Secret: q.form.CaptchaSecret, Token: token, MinScore: *q.form.CaptchaMinScore,
		Workspace: q.p.WorkspaceID, Form: q.p.KeyID}
	if !q.client.Hidden {
		question.Client = q.client.Addr
	}
	answer, reason := captcha.Answer{}, errors.New("no such verifier")
	if verifier := q.verifiers[q.form.Captcha]; verifier != nil {
		answer, reason = verifier.Verify(q.r.Context(), question)
	}
	if answer.Verdict == captcha.Human && !q.origins.host(answer.Hostname) {
		answer.Verdict, reason = captcha.NotHuman, errors.New("solved in a page of another site")
	}
	if reason != nil {
		httpx.AddLogField(q.r, "captcha", reason.Error())
	}
	switch {
	case answer.Verdict == captcha.Misconfigured:
		q.warnMisconfigured(reason)
		return 0, &fault.Error{Kind: fault.Unavailable, RetryAfter: captchaRetry, Cause: errors.Join(errMisconfigured, reason),
			Public: "This form cannot be sent at the moment because its captcha is not set up correctly."}
	case answer.Verdict == captcha.Unavailable && q.form.CaptchaOutage == tenant.RefuseOutage:
		return 0, fault.StoreUnavailable(reason, captchaRetry)
	}
	return answer.Verdict, nil
}

// warnMisconfigured tells the operator, once a minute for each form.
func (q *request) warnMisconfigured(reason error) {
	if key := id.Key.Format(q.p.KeyID); q.warn(key) {
		q.Log.Warn("captcha misconfigured, submissions of the form are refused",
			"workspace", id.Workspace.Format(q.p.WorkspaceID), "key", key, "captcha", q.form.Captcha, "reason", reason.Error())
	}
}

// thank answers a submission that was taken. next is the URL a plain form goes to; "": a page of ours.
func (q *request) thank(s *Submission, next string) error {
	switch {
	case !q.plain:
		return httpx.Data(q.w, http.StatusOK, struct {
			Received bool `json:"received"`
		}{true})
	case next != "":
		q.w.Header().Set("Location", next)
		q.w.WriteHeader(http.StatusSeeOther)
	default:
		l := q.look()
		l.show(q.w, http.StatusOK, l.thanks(q.form, q.origins.Back(s, q.r.Header)))
	}
	return nil
}
