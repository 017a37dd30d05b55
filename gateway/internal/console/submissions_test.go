package console_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// mustForm makes a form and returns the id of its key.
func (b *bundle) mustForm(t testing.TB, name string) id.UUID {
	t.Helper()
	var made struct{ ID string }
	b.call(t, "POST", "/keys", `{"kind":"publishable","name":"`+name+`","form":{}}`, &made)
	form, err := id.Key.Parse(made.ID)
	if err != nil {
		t.Fatal(err)
	}
	return form
}

// mustHeld stores a submission that is held, as change has it, and returns its id.
func (b *bundle) mustHeld(t testing.TB, form id.UUID, email string, change func(*lead.Submission)) string {
	t.Helper()
	s := lead.Submission{WorkspaceID: b.workspace, ID: id.New(), FormID: form, Outcome: lead.OutcomeHeld,
		Verdict: lead.Held, Points: 80, Reasons: []lead.Reason{{Check: "links", Points: 80, Note: "the text has 12 links"}}, Email: email,
		EmailKey: email, Name: "Ada", Page: "https://www.example.com/contact", UserAgent: "Mozilla/5.0",
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	s.Fields, _ = json.Marshal(map[string]any{"email": email, "message": "Do you ship to Norway?"})
	if change != nil {
		change(&s)
	}
	if err := b.db.InsertSubmissions(t.Context(), []lead.Submission{s}); err != nil {
		t.Fatal(err)
	}
	return id.Submission.Format(s.ID)
}

func (b *bundle) verdict(t testing.TB, submission string) (s struct{ Verdict, LeadID string }) {
	t.Helper()
	b.call(t, "GET", "/submissions/"+submission, "", &s)
	return s
}

// The quarantine shows what is held, with why, by form and by what was sent.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	contact, order := b.mustForm(t, "Contact"), b.mustForm(t, "Order")
	held := b.mustHeld(t, contact, "ada@example.com", nil)
	b.mustHeld(t, order, "grace@example.com", nil)
	b.mustHeld(t, contact, "jean@example.com", func(s *lead.Submission) { s.Verdict = lead.Suspect })
	v := b.mustSignIn(t, b.secret)
	v.get(t, "/console/submissions").wantPage(t, 200, "ada@example.com", "grace@example.com", "!jean@example.com",
		"the text has 12 links", "80 points", "Do you ship to Norway?", "Contact")
	v.get(t, "/console/submissions?formId="+id.Key.Format(order)).wantPage(t, 200, "!ada@example.com", "grace@example.com")
	v.get(t, "/console/submissions?text=GRACE").wantPage(t, 200, "!ada@example.com", "grace@example.com")
	v.get(t, "/console/submissions?verdict=suspect").wantPage(t, 200, "!ada@example.com", "jean@example.com")
	v.get(t, "/console/submissions?verdict=all").wantPage(t, 200, "ada@example.com", "jean@example.com")
	v.get(t, "/console/submissions?verdict=spam").wantPage(t, 200, "There is none")
	v.get(t, "/console/submissions/export?verdict=suspect&format=csv").wantPage(t, 200, "jean@example.com", "!ada@example.com")
	v.get(t, "/console/submissions/"+held).wantPage(t, 200, "the text has 12 links", "https://www.example.com/contact",
		"Mozilla/5.0", "!<a href=\"https://www.example.com")
}

// One or several are released or marked as spam.
func TestDecideSubmissions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	form := b.mustForm(t, "Contact")
	held := make([]string, 4)
	for i := range held {
		held[i] = b.mustHeld(t, form, string(rune('a'+i))+"@example.com", nil)
	}
	v := b.mustSignIn(t, b.secret)
	decide := func(path, do string, ids ...string) answer {
		return v.post(t, "/console/submissions/"+path, url.Values{"do": {do}, "id": ids})
	}
	decide(held[0]+"/decide", "release").wantPage(t, 200,
		"The submission was released: there is a lead of it now", "Show the lead")
	if got := b.verdict(t, held[0]); got.Verdict != "released" || got.LeadID == "" {
		t.Errorf("released = %+v", got)
	}
	decide(held[1]+"/decide", "spam").wantPage(t, 200, "The submission was marked as spam")
	decide("decide", "spam", held[2], held[3]).wantPage(t, 200, "2 submissions were marked as spam", "Nothing is held")
	decide("decide?verdict=spam", "release", held[1], held[2]).wantPage(t, 200, "2 submissions were released")
	if got := b.verdict(t, held[2]); got.Verdict != "released" {
		t.Errorf("released = %+v", got)
	}
	unknown := strings.Replace(held[3], "sub_0", "sub_1", 1)
	decide("decide?verdict=spam", "release", held[3], unknown).wantPage(t, 409, "1 submission was released", unknown)
	decide(held[1]+"/decide", "eat").wantPage(t, 400, "Must be release or spam")
}
