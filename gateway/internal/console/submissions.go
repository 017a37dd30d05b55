package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

const submissionsPath = Root + "/submissions"

func submissionRoutes() []route {
	decide := []string{"POST /api/v1/submissions/{id}/release", "POST /api/v1/submissions/{id}/spam"}
	return []route{
		{"GET", submissionsPath, tenant.LeadsRead, submissions, []string{"GET /api/v1/submissions"}, nil},
		{"GET", Root + "/submissions/export", tenant.LeadsRead, exportSubmissions,
			[]string{"GET /api/v1/submissions/export"}, nil},
		{"POST", Root + "/submissions/decide", tenant.LeadsWrite, decideSubmissions, decide, submissions},
		{"GET", Root + "/submissions/{id}", tenant.LeadsRead, showSubmission, []string{"GET /api/v1/submissions/{id}"}, nil},
		{"POST", Root + "/submissions/{id}/decide", tenant.LeadsWrite, decideSubmission, decide, showSubmission},
	}
}

// submission is one as the API shows it.
type submission struct {
	ID, FormID, LeadID, Outcome, Verdict, Email, Name, Page, Referrer, UserAgent, CreatedAt, DecidedAt string

	Points   int
	Reasons  []suspicion
	Fields   json.RawMessage
	Campaign map[string]string
	Form     string `json:"-"` // its name, where the session may know it
}

type suspicion struct {
	Check, Note string
	Points      int
}

// Words say why there are points.
func (r *suspicion) Words() string {
	if r.Note == "" {
		return strings.ReplaceAll(r.Check, "_", " ")
	}
	return r.Note
}

// Title is by whom it says that it is.
func (s *submission) Title() string {
	for _, text := range []string{s.Name, s.Email} {
		if text != "" {
			return text
		}
	}
	return "Somebody without a name"
}

// Sent are the fields as they came.
func (s *submission) Sent() []member { return members(s.Fields) }

// Facts are where it came from.
func (s *submission) Facts() []fact {
	t := touch{Page: s.Page, Referrer: s.Referrer, Campaign: s.Campaign}
	facts := t.Facts()
	if s.UserAgent != "" {
		facts = append(facts, fact{"Browser", s.UserAgent})
	}
	return facts
}

// Became is what became of it, in words.
func (s *submission) Became() string { return outcomeWords[s.Outcome] }

// Releasable reports whether it can be released, and MaySpam whether it can be marked as spam.
func (s *submission) Releasable() bool {
	return s.Verdict == "held" || s.Verdict == "spam" && s.LeadID == ""
}

// MaySpam reports whether it is not spam yet.
func (s *submission) MaySpam() bool { return s.Verdict != "spam" && s.Outcome != "suppressed" }

// tab is one of the list of submissions.
type tab struct{ Verdict, Label, About string }

// tabs are the verdicts, held first.
var tabs = []tab{
	{"held", "Held", "These look like a machine's, so they made no lead and nobody was told. Release what is a " +
		"person's: it becomes a lead as if it came now. Held ones are deleted 30 days after they came."},
	{"suspect", "Suspect", "These made leads, and yet have something of a machine's."},
	{"spam", "Spam", "You marked these as spam. Those that made no lead are deleted 30 days after they came."},
	{"released", "Released", "You released these from quarantine."},
	{"clean", "Clean", "These look like a person's, and made leads."},
	{"all", "All", "Everything that came by forms."},
}

type submissionsPage struct {
	Tabs               []tab
	Tab                tab
	Forms              []formName
	All                []*submission
	Next, First, This  string
	Refused            *apiError
	Filtered           bool
	Releasable, Spammy bool // the ticked ones can be released, marked
}

// Export is the query of the file of what is shown.
func (p *submissionsPage) Export(format string) string { return withFormat(p.This, format) }

type formName struct{ ID, Name, Kind string }

// submissionQuery are the parameters of the page.
var submissionQuery = []string{"verdict", "formId", "leadId", "text", "from", "until"}

// pick returns those parameters of a query that have a value.
func pick(q url.Values, names ...string) url.Values {
	out := url.Values{}
	for _, name := range names {
		if value := strings.TrimSpace(q.Get(name)); value != "" {
			out.Set(name, value)
		}
	}
	return out
}

// submissionFilter is what the query of the page asks the API for.
func submissionFilter(q url.Values) (asked url.Values, shown tab) {
	asked = pick(q, submissionQuery[1:]...)
	shown = tabs[0]
	for _, t := range tabs {
		if t.Verdict == q.Get("verdict") {
			shown = t
		}
	}
	if shown.Verdict != "all" {
		asked.Set("verdict", shown.Verdict)
	}
	return asked, shown
}

// submissions lists what came by forms, the quarantine first.
func submissions(v *visit) error {
	q := v.r.URL.Query()
	asked, shown := submissionFilter(q)
	p := submissionsPage{Tabs: tabs, Tab: shown,
		Filtered: len(pick(q, submissionQuery[1:]...)) > 0}
	if err := v.forms(&p.Forms); err != nil {
		return err
	}
	p.This = queryOf(pick(q, submissionQuery...))
	if q.Get("cursor") != "" {
		asked.Set("cursor", q.Get("cursor"))
		p.First = submissionsPath + p.This
	}
	next, err := v.list("/api/v1/submissions", asked, &p.All)
	if isStatus(err, http.StatusBadRequest) || isStatus(err, http.StatusNotFound) {
		errors.As(err, &p.Refused)
	} else if err != nil {
		return err
	}
	if next != "" {
		kept := pick(q, submissionQuery...)
		kept.Set("cursor", next)
		p.Next = submissionsPath + queryOf(kept)
	}
	for i := range p.All {
		s := p.All[i]
		s.Form = nameOfForm(s.FormID, p.Forms)
		p.Releasable = p.Releasable || s.Releasable()
		p.Spammy = p.Spammy || s.MaySpam()
	}
	return v.show("submissions.html", "Submissions", &p)
}

func queryOf(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// forms reads the names of the workspace's forms, where the session may know them.
func (v *visit) forms(to *[]formName) error {
	if !v.principal.May(tenant.KeysManage) {
		return nil
	}
	var keys []formName
	if _, err := v.list("/api/v1/keys", url.Values{"limit": {"200"}}, &keys); err != nil {
		return err
	}
	for _, k := range keys {
		if k.Kind == string(tenant.PublishableKey) {
			*to = append(*to, k)
		}
	}
	return nil
}

func nameOfForm(id string, forms []formName) string {
	for _, f := range forms {
		if f.ID == id && f.Name != "" {
			return f.Name
		}
	}
	return id
}

// exportSubmissions answers a file of what the list shows, on all its pages.
func exportSubmissions(v *visit) error {
	q, _ := submissionFilter(v.r.URL.Query())
	q.Set("format", v.r.URL.Query().Get("format"))
	return v.stream(withQuery("/api/v1/submissions/export", q))
}

// showSubmission shows one submission.
func showSubmission(v *visit) error {
	var s submission
	if err := v.get("/api/v1/submissions/"+url.PathEscape(v.pathVar("id")), nil, &s); err != nil {
		return err
	}
	var forms []formName
	if err := v.forms(&forms); err != nil {
		return err
	}
	s.Form = nameOfForm(s.FormID, forms)
	return v.show("submission.html", s.Title(), &s)
}

// decision reads what shall become of submissions, for the API and in words.
func (v *visit) decision() (do, done string, err error) {
	switch do = v.r.PostForm.Get("do"); do {
	case "release":
		return do, "released", nil
	case "spam":
		return do, "marked as spam", nil
	}
	return "", "", fault.InvalidField("do", nil, "Must be release or spam")
}

// decideSubmission releases a submission or marks it as spam.
func decideSubmission(v *visit) error {
	do, done, err := v.decision()
	if err != nil {
		return err
	}
	var s submission
	id := v.pathVar("id")
	if err := v.send(http.MethodPost, "/api/v1/submissions/"+url.PathEscape(id)+"/"+do, nil, &s); err != nil {
		return err
	}
	if do == "release" && s.LeadID != "" && s.Outcome == "new" {
		done += ": there is a lead of it now"
	}
	to := submissionsPath
	if v.r.PostForm.Get("back") == "" { // it was decided on its own page
		to += "/" + url.PathEscape(id)
	} else {
		to += queryOf(pick(v.r.URL.Query(), append([]string{"cursor"}, submissionQuery...)...))
	}
	return v.done(to, "The submission was "+done+".")
}

// decideSubmissions does that with the ticked ones.
func decideSubmissions(v *visit) error {
	do, done, err := v.decision()
	if err != nil {
		return err
	}
	to := submissionsPath + queryOf(pick(v.r.URL.Query(), submissionQuery...))
	return v.each(to, "submission", done, func(id string) error {
		return v.send(http.MethodPost, "/api/v1/submissions/"+url.PathEscape(id)+"/"+do, nil, nil)
	})
}
