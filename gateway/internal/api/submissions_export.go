package api

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// submissionExportPage is how many submissions an export reads at a time.
const submissionExportPage = 500

// exportSubmissions streams the submissions that the parameters pick and that exist now, the newest first.
func (a *api) exportSubmissions(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	if err := requireHTTP11(r); err != nil {
		return err
	}
	params := readParams(r)
	q, f := params.submissionFilter(), params.exportFormat()
	if err := params.err(); err != nil {
		return err
	}
	if err := a.knowsWhatIsAsked(r, p, q); err != nil {
		return err
	}
	q.Limit, q.Scan = submissionExportPage, a.PageScan
	read := func(ctx context.Context) (found []lead.Submission, last bool, err error) {
		found, q.Before, err = a.DB.FindSubmissions(ctx, p.WorkspaceID, q)
		return found, q.Before == (id.UUID{}), err
	}
	e := &export[lead.Submission]{api: a, r: r, p: p, noun: "submissions", out: submissionWriter(f), read: read}
	return e.answer(w, f)
}

func submissionWriter(f exportFormat) exportWriter[lead.Submission] {
	if f.name == "ndjson" { // as the list shows it
		return &ndjsonExport[lead.Submission]{append: func(dst []byte, s *lead.Submission) ([]byte, error) {
			return appendJSON(dst, showSubmission(*s))
		}}
	}
	const columns = "id,createdAt,formId,leadId,outcome,verdict,points,reasons,email,name,page,referrer,campaign," +
		"userAgent,addressHash,decidedAt,fields"
	return newCSVExport(f.csv, columns, func(x *csvExport[lead.Submission], s *lead.Submission) []string {
		leadID, decided := "", ""
		if s.LeadID != (id.UUID{}) {
			leadID = id.Lead.Format(s.LeadID)
		}
		if !s.DecidedAt.IsZero() {
			decided = stamp(s.DecidedAt)
		}
		return []string{
			id.Submission.Format(s.ID), stamp(s.CreatedAt), id.Key.Format(s.FormID), leadID, string(s.Outcome),
			string(s.Verdict), strconv.Itoa(s.Points), x.cell(orEmpty(s.Reasons)), x.cell(s.Email), x.cell(s.Name),
			x.cell(s.Page), x.cell(s.Referrer), x.cell(orEmpty(s.Campaign)), x.cell(s.UserAgent),
			hex.EncodeToString(s.AddressHash), decided, x.cell(string(s.Fields)),
		}
	})
}

// appendJSON appends a value as the API's answers have it, in one line.
func appendJSON(dst []byte, v any) ([]byte, error) {
	b := bytes.NewBuffer(dst)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// orEmpty returns a list or an object of texts as JSON; "" where it is empty.
func orEmpty(v any) string {
	text, _ := appendJSON(nil, v) // texts and numbers never fail
	if t := string(text); t != "[]" && t != "{}" && t != "null" {
		return t
	}
	return ""
}
