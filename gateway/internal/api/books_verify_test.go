package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

type shownVerification struct {
	Counted, Kept, Missing int
	Differences            []struct {
		Day, FormID            string
		Counted, Kept, Missing int
	}
}

func (b *bundle) verify(t *testing.T, query string) (v shownVerification) {
	t.Helper()
	got := b.mustSend(t, "GET", "/api/v1/books?verify=true"+query, "", 200)
	if err := json.Unmarshal(got.body.Data, &struct{ Verification *shownVerification }{&v}); err != nil {
		t.Fatalf("books = %s: %v", got.text, err)
	}
	return v
}

// Every submission that books say was kept is there, whatever became of it; what was deleted since is missing.
func TestBooksAreVerified(t *testing.T) {
	t.Parallel()
	b, counter := setupBooks(t)
	b.mustSuppress(t, b.owner, "gone@example.com")
	const robot = `"message":"Do you ship?","_gotcha":"https://pills.example.net/"`
	for _, onDuplicate := range []string{"append", tenant.UpdateDuplicate, tenant.IgnoreDuplicate} {
		form := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, OnDuplicate: onDuplicate,
			MaxHeldPerDay: 1})
		for i := range 3 {
			b.fetch(t, form, fmt.Sprintf(`{"email":"%s%d@example.com"}`, onDuplicate, i/2)) // new, known, new
			b.fetch(t, form, fmt.Sprintf(`{"email":"robot%d@example.com",%s}`, i, robot))   // held, and not kept
		}
		b.fetch(t, form, `{"email":"gone@example.com"}`)
		b.fetch(t, form, `{"email":"x"}`)
	}
	b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"api@example.com"}`)
	if err := counter.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := len(b.mustSubmissions(t, b.owner)) // many posts of one address may be held too
	if n < 13 {
		t.Fatalf("%d submissions, want some of each outcome", n)
	}
	check := func(when string) {
		t.Helper()
		if got := b.verify(t, ""); got.Counted != n || got.Kept != n || got.Missing != 0 || len(got.Differences) != 0 {
			t.Errorf("%s: %+v, want all %d", when, got, n)
		}
	}
	check("all is there")
	all, _ := page[shownSubmission](t, b, "/api/v1/submissions?verdict=held&limit=200")
	b.decide(t, "/api/v1/submissions/"+all[0].ID, "release")
	b.decide(t, "/api/v1/submissions/"+all[1].ID, "spam")
	check("some were decided about")
	if _, err := b.db.FoldBooks(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	check("entries were folded")

	leads := b.mustLeads(t, b.owner)
	b.send(t, b.secret, "DELETE", "/api/v1/leads/"+id.Lead.Format(leads[0].ID)+"?erase=true", "")
	got := b.verify(t, "")
	if got.Counted != n || got.Missing != 2 || got.Kept != n-2 || len(got.Differences) != 1 || got.Differences[0].Missing != 2 ||
		got.Differences[0].Day != time.Now().UTC().Format(time.DateOnly) {
		t.Errorf("after a lead of two submissions was erased: %+v, want them missing of a form today", got)
	}
	if one := b.verify(t, "&form="+got.Differences[0].FormID); one.Counted < 4 || one.Counted > 5 || one.Missing != 2 {
		t.Errorf("of its form: %+v, want two of it missing", one)
	}
	if none := b.verify(t, "&until="+time.Now().UTC().Format(time.DateOnly)); none.Counted != 0 || none.Kept != 0 {
		t.Errorf("of the days before: %+v, want nothing", none)
	}
	b.send(t, b.secret, "GET", "/api/v1/books?verify=true&from=2026-01-01&until=2026-03-01", "").wantError(t, "59 days", 400,
		"VALIDATION_ERROR")
	if got := b.mustSend(t, "GET", "/api/v1/books", "", 200); strings.Contains(got.text, "verification") {
		t.Errorf("books = %s, want no verification that nobody asked for", got.text)
	}
}
