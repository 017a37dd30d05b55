package api_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// mustSubmission stores a held submission to a form of its own as change has it.
func (b *bundle) mustSubmission(t *testing.T, c owner, change func(*lead.Submission)) lead.Submission {
	t.Helper()
	email := freshEmail()
	s := lead.Submission{WorkspaceID: c.workspace, ID: id.New(), FormID: c.key, Outcome: lead.OutcomeHeld, Verdict: lead.Held,
		Points: 80, Reasons: []lead.Reason{{Check: "honeypot", Points: 80, Note: "was filled in"}}, Email: email, EmailKey: email,
		Name: marker, Page: "https://www.example.com/contact", UserAgent: "Mozilla/5.0", AddressHash: []byte{1, 2},
		Campaign: map[string]string{"utm_source": "x"}, CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	s.Fields, _ = json.Marshal(map[string]any{"email": email, "name": marker, "message": "Do you ship to Norway?"})
	if change != nil {
		change(&s)
	}
	if err := b.db.InsertSubmissions(t.Context(), []lead.Submission{s}); err != nil {
		t.Fatal(err)
	}
	return s
}

// shownSubmission is what the tests look at of a submission.
type shownSubmission struct {
	ID, FormID, Outcome, Verdict, AddressHash string
	LeadID                                    *string
	Fields                                    map[string]any
	DecidedAt                                 *string
}

// Each filter picks what the full list has of it, page by page, also when a page may look at few rows only.
func TestSubmissionsByFilter(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]*bundle{"": setup(t), ", looking at 3 rows a page": setup(t, small(3))} {
		leadID := b.mustCreate(t, b.owner, "ann@example.com")
		about, _ := id.Lead.Parse(leadID)
		form := b.mustThing(t, "", "KeyId", b.owner, map[string]string{})
		other, _ := id.Key.Parse(form)
		var middle time.Time
		for i := range 12 {
			if i == 6 {
				middle = pause()
			}
			b.mustSubmission(t, b.owner, func(s *lead.Submission) {
				s.Verdict, s.Outcome = lead.Verdicts()[i%5], lead.Outcomes()[i%6]
				if i%3 == 0 {
					s.LeadID = about
				}
				if i%4 == 0 {
					s.FormID = other
				}
				if i%2 == 0 {
					s.Fields = []byte(`{"text":{"here":["x","Grüße AUS Köln"]},"grüße":1}`)
				}
			})
		}
		all, _ := pages[shownSubmission](t, b, "/api/v1/submissions", url.Values{"limit": {"200"}})
		if len(all) != 12 || !slices.IsSortedFunc(all, func(x, y shownSubmission) int { return strings.Compare(y.ID, x.ID) }) {
			t.Fatalf("submissions%s = %d, want 12, newest first", name, len(all))
		}
		for query, fits := range map[string]func(i int, s shownSubmission) bool{
			"verdict=held":                func(_ int, s shownSubmission) bool { return s.Verdict == "held" },
			"verdict=held&formId=" + form: func(_ int, s shownSubmission) bool { return s.Verdict == "held" && s.FormID == form },
			"verdict=spam,clean":          func(_ int, s shownSubmission) bool { return s.Verdict == "spam" || s.Verdict == "clean" },
			"outcome=appended":            func(_ int, s shownSubmission) bool { return s.Outcome == "appended" },
			"formId=" + form:              func(_ int, s shownSubmission) bool { return s.FormID == form },
			"leadId=" + leadID:            func(_ int, s shownSubmission) bool { return s.LeadID != nil },
			"from=" + rfc(middle):         func(i int, _ shownSubmission) bool { return i < 6 },
			"until=" + rfc(middle):        func(i int, _ shownSubmission) bool { return i >= 6 },
			"text=GR%C3%9CSSE":            func(int, shownSubmission) bool { return false },
			"text=aus+k%C3%B6ln":          func(_ int, s shownSubmission) bool { return s.Fields["text"] != nil },
			"text=to+norway&outcome=new":  func(_ int, s shownSubmission) bool { return s.Fields["text"] == nil && s.Outcome == "new" },
			"text=nightJAR":               func(int, shownSubmission) bool { return true },
			"leadId=" + leadID + "&text=k%C3%B6ln&verdict=clean": func(_ int, s shownSubmission) bool {
				return s.LeadID != nil && s.Fields["text"] != nil && s.Verdict == "clean"
			},
		} {
			q, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			want := []shownSubmission(nil)
			for i, s := range all {
				if fits(i, s) {
					want = append(want, s)
				}
			}
			for _, limit := range []string{"1", "3", "200"} {
				q.Set("limit", limit)
				got, _ := pages[shownSubmission](t, b, "/api/v1/submissions", q)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("submissions by %s, limit %s%s (-want +got):\n%s", query, limit, name, diff)
				}
			}
		}
		got, _ := pages[shownSubmission](t, b, "/api/v1/leads/"+leadID+"/submissions", url.Values{"limit": {"2"}})
		if len(got) != 4 {
			t.Errorf("submissions of a lead%s = %d, want 4", name, len(got))
		}
	}
}

func rfc(at time.Time) string { return url.QueryEscape(at.UTC().Format(time.RFC3339Nano)) }

// A page of large submissions ends before it is as large as its rows, and the next one goes on.
func TestPagesOfLargeSubmissions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 40 {
		b.mustSubmission(t, b.owner, func(s *lead.Submission) {
			s.Fields = []byte(`{"text":"` + strings.Repeat("large ", 30_000) + `"}`)
		})
	}
	for _, query := range []string{"", "&text=large", "&verdict=held"} {
		some, next := page[shownSubmission](t, b, "/api/v1/submissions?limit=200"+query)
		if len(some) == 0 || len(some) > 15 || next == nil {
			t.Errorf("a page by %q has %d submissions of 180 kB (more: %v), want some 2 MiB of them and more", query, len(some),
				next != nil)
		}
		q, _ := url.ParseQuery("limit=200" + query)
		if all, _ := pages[shownSubmission](t, b, "/api/v1/submissions", q); len(all) != 40 {
			t.Errorf("all pages by %q have %d submissions, want 40", query, len(all))
		}
	}
}

// What is asked for must make sense, and a filter by what the workspace has not is not an empty answer.
func TestSubmissionFiltersAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for query, field := range map[string]string{"verdict=hold": "verdict", "verdict=": "verdict", "outcome=done": "outcome",
		"formId=x": "formId", "text=": "text", "text=" + strings.Repeat("x", 201): "text", "cursor=lead_x": "cursor"} {
		got := b.send(t, b.secret, "GET", "/api/v1/submissions?"+query, "")
		if got.wantError(t, query, 400, "VALIDATION_ERROR"); got.body.Details.Field != field {
			t.Errorf("%s: %s, want that %s is wrong", query, got.text, field)
		}
	}
	for _, query := range []string{"formId=" + id.Key.Format(id.New()), "leadId=" + id.Lead.Format(id.New())} {
		b.send(t, b.secret, "GET", "/api/v1/submissions?"+query, "").wantError(t, query, 404, "NOT_FOUND")
	}
}
