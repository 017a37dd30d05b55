package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Submission is what a form received and what became of it, as the API shows it, in JSON too. Of a key without
// leads:read the answers to decisions have nothing of the person.
type Submission struct {
	ID          string             `json:"id"`
	FormID      string             `json:"formId"` // the publishable key
	LeadID      *string            `json:"leadId"`
	Outcome     string             `json:"outcome"` // new, appended, updated, ignored, held or suppressed
	Verdict     string             `json:"verdict"` // clean, suspect, held, released or spam
	Points      int                `json:"points"`
	Reasons     []SubmissionReason `json:"reasons"`
	Email       *string            `json:"email"`
	Name        *string            `json:"name"`
	Fields      json.RawMessage    `json:"fields"` // as they came
	Page        *string            `json:"page"`
	Referrer    *string            `json:"referrer"`
	Campaign    map[string]string  `json:"campaign"`
	UserAgent   *string            `json:"userAgent"`
	AddressHash *string            `json:"addressHash"`
	CreatedAt   time.Time          `json:"createdAt"`
	DecidedAt   *time.Time         `json:"decidedAt"` // when its owner released it or marked it as spam
}

// SubmissionReason is why a submission has points: the more, the less it looks like a person's.
type SubmissionReason struct {
	Check  string `json:"check"`
	Points int    `json:"points"`
	Note   string `json:"note,omitempty"`
}

// SubmissionFilter selects submissions; a field that is zero selects all.
type SubmissionFilter struct {
	Verdict     string // or several with commas between
	Outcome     string
	FormID      string // of the form's key
	LeadID      string
	From, Until string // RFC 3339, or a day
	Text        string // in the email, the name or a field
}

func (f SubmissionFilter) query() url.Values {
	return values(map[string]string{
		"verdict": f.Verdict, "outcome": f.Outcome, "formId": f.FormID, "leadId": f.LeadID, "from": f.From,
		"until": f.Until, "text": f.Text,
	})
}

// ListSubmissions returns a page of submissions, newest first. limit 0 is the API's default; cursor "" is the first
// page. A page may be short or empty and yet not the last.
func (c *Client) ListSubmissions(ctx context.Context, f SubmissionFilter, limit int, cursor string) (
	p Page[Submission], err error) {
	q := page(f.query(), limit, cursor)
	_, err = c.do(ctx, request{method: http.MethodGet, path: "/api/v1/submissions", query: q}, &p)
	return p, err
}

// ExportSubmissions returns all submissions as a file, which the caller closes. An error of a Read means that it is not
// whole.
func (c *Client) ExportSubmissions(ctx context.Context, o ExportOptions, f SubmissionFilter) (io.ReadCloser, error) {
	return c.download(ctx, "/api/v1/submissions/export", o.addTo(f.query()))
}

// GetSubmission returns a submission.
func (c *Client) GetSubmission(ctx context.Context, submission string) (s Submission, err error) {
	_, err = c.do(ctx, request{method: http.MethodGet, path: submissionPath(submission)}, &s)
	return s, err
}

// ReleaseSubmission makes of a held submission what it would become if it came now. Again it changes nothing.
func (c *Client) ReleaseSubmission(ctx context.Context, submission string) (s Submission, err error) {
	_, err = c.do(ctx, request{method: http.MethodPost, path: submissionPath(submission) + "/release"}, &s)
	return s, err
}

// MarkSpam marks a submission as spam. Again it changes nothing.
func (c *Client) MarkSpam(ctx context.Context, submission string) (s Submission, err error) {
	_, err = c.do(ctx, request{method: http.MethodPost, path: submissionPath(submission) + "/spam"}, &s)
	return s, err
}

func submissionPath(submission string) string {
	return "/api/v1/submissions/" + url.PathEscape(submission)
}
