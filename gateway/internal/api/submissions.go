package api

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/intake"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

func (a *api) submissionRoutes() []route {
	return []route{
		{"GET", "/api/v1/leads/{id}/submissions", tenant.LeadsRead, a.limitExpensive(a.listLeadSubmissions),
			options{}, leadSubmissionParams},
		{"GET", "/api/v1/submissions", tenant.LeadsRead, a.limitExpensive(a.listSubmissions), options{}, submissionParams},
		{"GET", "/api/v1/submissions/export", tenant.LeadsRead, a.exportSubmissions, options{NoTimeout: true},
			submissionExportParams},
		{"GET", "/api/v1/submissions/{id}", tenant.LeadsRead, a.getSubmission, options{}, nil},
		{"POST", "/api/v1/submissions/{id}/release", tenant.LeadsWrite, a.releaseSubmission, options{}, nil},
		{"POST", "/api/v1/submissions/{id}/spam", tenant.LeadsWrite, a.markSpam, options{}, nil},
	}
}

// submission is a submission as the API shows it; what it has not is null.
type submission struct {
	ID          string            `json:"id"`
	FormID      string            `json:"formId"`
	LeadID      *string           `json:"leadId"`
	Outcome     lead.Outcome      `json:"outcome"`
	Verdict     lead.Verdict      `json:"verdict"`
	Points      int               `json:"points"`
	Reasons     []lead.Reason     `json:"reasons"`
	Email       *string           `json:"email"`
	Name        *string           `json:"name"`
	Fields      json.RawMessage   `json:"fields"`
	Page        *string           `json:"page"`
	Referrer    *string           `json:"referrer"`
	Campaign    map[string]string `json:"campaign"`
	UserAgent   *string           `json:"userAgent"`
	AddressHash *string           `json:"addressHash"`
	CreatedAt   string            `json:"createdAt"`
	DecidedAt   *string           `json:"decidedAt"`
}

func showSubmission(s lead.Submission) submission {
	shown := submission{
		ID: id.Submission.Format(s.ID), FormID: id.Key.Format(s.FormID), LeadID: optionalID(id.Lead, s.LeadID),
		Outcome: s.Outcome, Verdict: s.Verdict, Points: s.Points, Reasons: s.Reasons, Email: optional(s.Email),
		Name: optional(s.Name), Fields: s.Fields, Page: optional(s.Page), Referrer: optional(s.Referrer),
		Campaign: s.Campaign, UserAgent: optional(s.UserAgent), AddressHash: optional(hex.EncodeToString(s.AddressHash)),
		CreatedAt: stamp(s.CreatedAt),
	}
	if shown.Reasons == nil {
		shown.Reasons = []lead.Reason{}
	}
	if !s.DecidedAt.IsZero() {
		shown.DecidedAt = optional(stamp(s.DecidedAt))
	}
	return shown
}

// touch is the first or last time that a lead came by a form, and from where.
type touch struct {
	SubmissionID string            `json:"submissionId"`
	FormID       string            `json:"formId"`
	At           string            `json:"at"`
	Page         *string           `json:"page"`
	Referrer     *string           `json:"referrer"`
	Campaign     map[string]string `json:"campaign"`
}

// showTouch shows the submission of a touch; nil is nil.
func showTouch(s *lead.Submission) *touch {
	if s == nil {
		return nil
	}
	return &touch{id.Submission.Format(s.ID), id.Key.Format(s.FormID), stamp(s.CreatedAt), optional(s.Page),
		optional(s.Referrer), s.Campaign}
}

var (
	submissionFilters      = []string{"verdict", "outcome", "formId", "leadId", "from", "until", "text"}
	submissionParams       = append([]string{"limit", "cursor"}, submissionFilters...)
	submissionExportParams = slices.Concat(exportStyleParams, submissionFilters)
	leadSubmissionParams   = append([]string{"limit", "cursor"}, leadReadParams...)
)

// maxSubmissionText is how many characters of a text can be looked for.
const maxSubmissionText = 200

// verdicts reads a list of verdicts between commas.
func (q *params) verdicts() (verdicts []lead.Verdict) {
	if !q.Has("verdict") {
		return nil
	}
	for text := range strings.SplitSeq(q.Get("verdict"), ",") {
		if v := lead.Verdict(text); slices.Contains(lead.Verdicts(), v) {
			verdicts = append(verdicts, v)
			continue
		}
		q.addError("verdict", "Must be one or more of "+strings.Join(texts(lead.Verdicts()), ", ")+", separated by commas")
		return nil
	}
	slices.Sort(verdicts)
	return slices.Compact(verdicts)
}

func (q *params) submissionFilter() pg.SubmissionQuery {
	f := pg.SubmissionQuery{Verdicts: q.verdicts(), Text: q.text("text", maxSubmissionText)}
	f.Outcome = lead.Outcome(q.choice("outcome", texts(lead.Outcomes())...))
	f.FormID, f.LeadID = q.id("formId", id.Key), q.id("leadId", id.Lead)
	f.From, f.Until = q.timeRange("from", "until")
	return f
}

// listSubmissions answers the workspace's submissions that the parameters pick, newest first.
func (a *api) listSubmissions(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	q := params.submissionFilter()
	found, next, err := a.findSubmissions(r, p, params, q)
	if err != nil {
		return err
	}
	return httpx.Page(w, found, next)
}

// leadSubmissions is a page of a lead's submissions, and where the lead came from.
type leadSubmissions struct {
	httpx.Paged
	FirstTouch *touch `json:"firstTouch"`
	LastTouch  *touch `json:"lastTouch"`
}

// listLeadSubmissions answers what was sent with forms about a lead, newest first.
func (a *api) listLeadSubmissions(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	l, err := a.readOneLead(r, p)
	if err != nil {
		return err
	}
	found, next, err := a.findSubmissions(r, p, readParams(r), pg.SubmissionQuery{LeadID: l.ID})
	if err != nil {
		return err
	}
	t, err := a.DB.LeadTouches(r.Context(), p.WorkspaceID, l.ID)
	if err != nil {
		return err
	}
	return httpx.Answer(w, leadSubmissions{httpx.NewPaged(found, next), showTouch(t.First), showTouch(t.Last)})
}

// findSubmissions returns a page of q, and the cursor of the next one; "": there is none.
func (a *api) findSubmissions(r *http.Request, p *tenant.Principal, params *params, q pg.SubmissionQuery) (
	shown []submission, next string, err error) {
	q.Limit, q.Before, q.Scan = params.limit(), params.cursor(id.Submission), a.PageScan
	if err := params.err(); err != nil {
		return nil, "", err
	}
	if err := a.knowsWhatIsAsked(r, p, q); err != nil {
		return nil, "", err
	}
	found, last, err := a.DB.FindSubmissions(r.Context(), p.WorkspaceID, q)
	if err != nil {
		return nil, "", err
	}
	size := 0
	for i := range found {
		size += len(found[i].Fields) + 1024
	}
	if err := httpx.Charge(r, size); err != nil {
		return nil, "", err
	}
	return showAll(found, showSubmission), nextCursor(id.Submission, last), nil
}

// knowsWhatIsAsked is NOT_FOUND where q asks for what the workspace does not have.
func (a *api) knowsWhatIsAsked(r *http.Request, p *tenant.Principal, q pg.SubmissionQuery) error {
	err := a.checkFilter(r, p, id.UUID{}, q.LeadID)
	if err == nil && q.FormID != (id.UUID{}) {
		_, err = a.DB.GetKey(r.Context(), p.WorkspaceID, q.FormID)
	}
	return err
}

// getSubmission answers a submission.
func (a *api) getSubmission(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	return get(id.Submission, a.DB.GetSubmission, showSubmission)(w, r, p)
}

// releaseSubmission takes a submission out of quarantine: it becomes what it would become if it came now.
func (a *api) releaseSubmission(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	which, err := pathSubmission(r)
	if err != nil {
		return err
	}
	if err := a.Forms.Release(r.Context(), p, which); err != nil {
		return err
	}
	s, err := a.DB.GetSubmission(r.Context(), p.WorkspaceID, which)
	if err != nil {
		return err
	}
	return answerDecided(w, p, s)
}

// markSpam marks a submission as spam, and tells of it where it has a lead.
func (a *api) markSpam(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	which, err := pathSubmission(r)
	if err != nil {
		return err
	}
	audit := a.auditEntry(p, tenant.SubmissionSpam, id.Submission.Format(which), nil)
	s, u, err := a.DB.MarkSpam(r.Context(), p.WorkspaceID, which, audit)
	if err != nil {
		return err
	}
	if len(u.Wake) > 0 {
		a.Intake.Publish(r.Context(), intake.ChangeOf(&u))
	}
	return answerDecided(w, p, s)
}

func pathSubmission(r *http.Request) (id.UUID, error) {
	which, err := pathID(r, id.Submission)
	if err == nil {
		httpx.AddLogField(r, "submission", id.Submission.Format(which))
	}
	return which, err
}

// answerDecided answers a submission. A client that may not read leads learns nothing of the person.
func answerDecided(w http.ResponseWriter, p *tenant.Principal, s lead.Submission) error {
	if !p.May(tenant.LeadsRead) {
		s = lead.Submission{ID: s.ID, FormID: s.FormID, LeadID: s.LeadID, Outcome: s.Outcome, Verdict: s.Verdict,
			CreatedAt: s.CreatedAt, DecidedAt: s.DecidedAt}
	}
	return httpx.Data(w, http.StatusOK, showSubmission(s))
}
