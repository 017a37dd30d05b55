package api_test

import (
	"encoding/csv"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// A spreadsheet finds no formula in what strangers wrote, and each row has what the list shows.
func TestSubmissionExportCSV(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.mustSubmission(t, b.owner, nil)
	about := id.New()
	evil := b.mustSubmission(t, b.owner, func(s *lead.Submission) {
		s.Name, s.Page, s.UserAgent, s.Reasons, s.Campaign = "=1+1", "@page", "-agent", nil, nil
		s.LeadID, s.Outcome, s.Verdict, s.Points, s.DecidedAt = about, lead.OutcomeNew, lead.Released, 0, s.CreatedAt
	})
	b.mustSubmission(t, b.mustWorkspace(t, tenant.Settings{}), nil)
	got := b.send(t, b.secret, "GET", "/api/v1/submissions/export", "")
	if got.status != 200 || got.header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		!strings.HasPrefix(got.header.Get("Content-Disposition"), `attachment; filename="submissions-`) {
		t.Fatalf("export = %d, %v", got.status, got.header)
	}
	rows, err := csv.NewReader(strings.NewReader(got.text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	times := [2]string{evil.CreatedAt.Format(lead.TimeFormat), first.CreatedAt.Format(lead.TimeFormat)}
	want := [][]string{
		{"id", "createdAt", "formId", "leadId", "outcome", "verdict", "points", "reasons", "email", "name", "page", "referrer",
			"campaign", "userAgent", "addressHash", "decidedAt", "fields"},
		{id.Submission.Format(evil.ID), times[0], id.Key.Format(evil.FormID), id.Lead.Format(about), "new", "released", "0", "",
			evil.Email, "'=1+1", "'@page", "", "", "'-agent", "0102", times[0], string(evil.Fields)},
		{id.Submission.Format(first.ID), times[1], id.Key.Format(first.FormID), "", "held", "held", "80",
			`[{"check":"honeypot","points":80,"note":"was filled in"}]`, first.Email, first.Name, first.Page, "",
			`{"utm_source":"x"}`, "Mozilla/5.0", "0102", "", string(first.Fields)},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	got = b.send(t, b.secret, "GET", "/api/v1/submissions/export?plain=true&bom=true&delimiter=%3B&verdict=released", "")
	if !strings.HasPrefix(got.text, "\uFEFFid;createdAt;") || !strings.Contains(got.text, ";=1+1;@page;") ||
		strings.Count(got.text, "\n") != 2 {
		t.Errorf("plain export = %q, want the released one as it is", got.text)
	}
	if got := b.send(t, b.secret, "HEAD", "/api/v1/submissions/export", ""); got.status != 200 || got.text != "" {
		t.Errorf("HEAD = %d %q, want 200 and no body", got.status, got.text)
	}
	for _, query := range []string{"format=xml", "limit=1", "format=ndjson&bom=true", "verdict=x"} {
		b.send(t, b.secret, "GET", "/api/v1/submissions/export?"+query, "").wantError(t, query, 400, "VALIDATION_ERROR")
	}
}

// An export of many pages has each submission once, in the order of the list and as the list shows it, by its filters.
func TestSubmissionExportNDJSON(t *testing.T) {
	t.Parallel()
	b := setup(t, small(700))
	some := b.mustSubmission(t, b.owner, func(s *lead.Submission) { s.Fields = []byte("{\"message\":\n\"a & <b>\"}") })
	for i := range 4 { // copies with ids after it
		b.db.MustExecContext(t.Context(), `
insert into submissions (workspace_id, id, form_id, outcome, verdict, points, reasons, email, name, fields, created_at)
select workspace_id, overlay(uuid_floor(created_at + make_interval(secs => $2))::text placing lpad(to_hex(n), 12, '0') from 25)::uuid,
       form_id, outcome, case when n % 10 = 0 then 'spam' else verdict end, points, reasons, email, name, fields, created_at
  from submissions, generate_series(1, 300) n where workspace_id = $1 and id = $3`, b.workspace, i+1, some.ID)
	}
	export := func(query string) (lines []json.RawMessage) {
		t.Helper()
		got := b.send(t, b.secret, "GET", "/api/v1/submissions/export?format=ndjson&"+query, "")
		if got.status != 200 || got.header.Get("Content-Type") != "application/x-ndjson" {
			t.Fatalf("export = %d %s", got.status, got.text)
		}
		for line := range strings.Lines(got.text) {
			lines = append(lines, json.RawMessage(strings.TrimSuffix(line, "\n")))
		}
		return lines
	}
	for _, query := range []string{"", "verdict=spam", "text=%26+%3Cb"} {
		q, _ := url.ParseQuery(query + "&limit=200")
		want, _ := pages[json.RawMessage](t, b, "/api/v1/submissions", q)
		got := export(query)
		if len(got) != len(want) || len(got) < 120 {
			t.Fatalf("export by %q has %d lines, the list %d", query, len(got), len(want))
		}
		for i := range want {
			if diff := cmp.Diff(string(want[i]), string(got[i])); diff != "" {
				t.Fatalf("line %d by %q (-list +export):\n%s", i, query, diff)
			}
		}
	}
	_, secret := b.mustKey(t, b.workspace, []tenant.Scope{tenant.LeadsWrite})
	b.send(t, secret, "GET", "/api/v1/submissions/export", "").wantError(t, "without the scope", 403, "FORBIDDEN")
}
