package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/gateway/internal/api"
	"leadgate/gateway/internal/timeline"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// shownTouch is a first or last touch as a client reads it.
type shownTouch struct {
	SubmissionID, FormID, At string
	Page, Referrer           *string
	Campaign                 map[string]string
}

// shownTouches are both, with what else the answers about them have.
type shownTouches struct {
	FirstTouch, LastTouch *shownTouch
	SubmissionsTruncated  bool
}

func (b *bundle) touches(t *testing.T, lead string) (l shownTouches) {
	t.Helper()
	got := b.mustSend(t, "GET", "/api/v1/leads/"+lead+"/timeline", "", 200)
	if err := json.Unmarshal(got.body.Data, &l); err != nil {
		t.Fatalf("timeline = %s: %v", got.text, err)
	}
	var beside shownTouches
	for _, limit := range []string{"1", "200"} {
		list := b.mustSend(t, "GET", "/api/v1/leads/"+lead+"/submissions?limit="+limit, "", 200)
		if err := json.Unmarshal([]byte(list.text), &beside); err != nil {
			t.Fatalf("submissions = %s: %v", list.text, err)
		}
		beside.SubmissionsTruncated = l.SubmissionsTruncated
		if diff := cmp.Diff(l, beside); diff != "" {
			t.Errorf("touches (-timeline +submissions):\n%s", diff)
		}
	}
	return l
}

// mustCome sends a form thrice about one lead, which a webhook hears of, and returns it.
func (b *bundle) mustCome(t *testing.T) (leadID string) {
	t.Helper()
	form := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	for i, page := range []string{"pricing?utm_source=mail", "blog", "contact?utm_source=ads&gclid=x"} {
		b.fetch(t, form, fmt.Sprintf(`{"email":"ada@example.com","name":"Ada","message":"Enquiry %d","_page":"%s/%s"}`, i, site, page))
	}
	return id.Lead.Format(b.mustLeads(t, b.owner)[0].ID)
}

// Submissions are in the timeline, each before what it made, with the event that tells of it.
func TestTimelineHasSubmissions(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	b.mustHook(t)
	made := b.mustCome(t)
	all, _ := pages[shownSubmission](t, b, "/api/v1/leads/"+made+"/submissions", nil)
	b.decide(t, "/api/v1/submissions/"+all[0].ID, "spam")
	got := b.mustSend(t, "GET", "/api/v1/leads/"+made+"/timeline", "", 200)
	var l struct {
		Status  string
		Entries []struct {
			Kind, Type, SubmissionID, Outcome, Verdict, Page, Note string
			Reasons                                                []lead.Reason
		}
	}
	if err := json.Unmarshal(got.body.Data, &l); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range l.Entries {
		if k := e.Kind + e.Type; k != "delivery" && k != "enrichment" && k != "eventlead.enriched" {
			number := slices.IndexFunc(all, func(s shownSubmission) bool { return s.ID == e.SubmissionID })
			kinds = append(kinds, fmt.Sprintf("%s of %d", k, len(all)-1-number))
		}
	}
	want := []string{"submission of 0", "lead.accepted of 3", "eventlead.created of 3", "submission of 1", "eventlead.submitted of 1",
		"submission of 2", "eventlead.updated of 3", "eventlead.submitted of 2", "eventlead.marked_spam of 2"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if e := l.Entries[0]; e.Outcome != "new" || e.Verdict != "clean" || e.Page != site+"/pricing" || e.Reasons == nil {
		t.Errorf("the first entry = %+v, want the submission that made the lead", e)
	}
	if !strings.Contains(l.Status, " It came by forms 3 times, last at ") || !strings.Contains(l.Status, "; 1 marked as spam.") {
		t.Errorf("status = %q, want what forms received", l.Status)
	}
}

// The first and the last touch are where a lead came from, also when retention has left no more than these, and where
// there are more submissions than a timeline shows.
func TestTouches(t *testing.T) {
	t.Parallel()
	b := setupForms(t)
	made := b.mustCome(t)
	all, _ := pages[shownSubmission](t, b, "/api/v1/leads/"+made+"/submissions", nil)
	first, last := site+"/pricing", site+"/contact"
	want := shownTouches{
		FirstTouch: &shownTouch{SubmissionID: all[2].ID, FormID: all[2].FormID, Page: &first,
			Campaign: map[string]string{"utm_source": "mail"}},
		LastTouch: &shownTouch{SubmissionID: all[0].ID, FormID: all[0].FormID, Page: &last,
			Campaign: map[string]string{"utm_source": "ads", "gclid": "x"}},
	}
	check := func(when string) {
		t.Helper()
		got := b.touches(t, made)
		if got.FirstTouch == nil || got.LastTouch == nil || got.FirstTouch.At == "" || got.FirstTouch.At > got.LastTouch.At {
			t.Fatalf("%s: touches = %+v, want both, in order", when, got)
		}
		got.FirstTouch.At, got.LastTouch.At = "", ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	check("three submissions")
	b.db.MustExecContext(t.Context(), `insert into kept_submissions select * from submissions where workspace_id = $1 and page like '%pricing'`,
		b.workspace)
	check("the first one was copied and not yet dropped")
	b.db.MustExecContext(t.Context(), `delete from submissions where workspace_id = $1 and page like '%pricing' or page like '%blog'`, b.workspace)
	check("older weeks were dropped")
	about, _ := id.Lead.Parse(made)
	from, _ := id.Submission.Parse(all[0].ID)
	for range 100 {
		b.mustSubmission(t, b.owner, func(s *lead.Submission) {
			s.LeadID, s.Outcome, s.Verdict, s.CreatedAt = about, lead.OutcomeAppended, lead.Clean, id.Time(from).Add(time.Second)
			s.Page, s.Campaign = last, want.LastTouch.Campaign
			want.LastTouch.SubmissionID, want.LastTouch.FormID = id.Submission.Format(s.ID), id.Key.Format(s.FormID)
		})
	}
	want.SubmissionsTruncated = true
	check("more than a timeline shows")
	if l := b.timeline(t, made); len(l.of("submission")) != 100 || l.Truncated {
		t.Errorf("timeline has %d submissions (truncated: %v), want 100", len(l.of("submission")), l.Truncated)
	}
	other := b.mustCreate(t, b.owner, "bob@example.com")
	if got := b.touches(t, other); got.FirstTouch != nil || got.LastTouch != nil {
		t.Errorf("touches of a lead that no form received = %+v, want none", got)
	}
}

// An entry of a kind that nobody shows yet has its time and its kind.
func TestTimelineShowsUnknownKinds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	got, err := json.Marshal(api.ShowEntry(timeline.Entry{At: &at, Kind: "moved"}))
	if want := `{"at":"2026-01-15T10:30:00.000Z","kind":"moved"}`; err != nil || string(got) != want {
		t.Errorf("an unknown entry = %s, %v; want %s", got, err, want)
	}
}
