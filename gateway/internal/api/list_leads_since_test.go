package api_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/tenant"
)

// since asks for what changed since and returns the emails, each with "-" in front where the lead is deleted.
func (b *bundle) since(t *testing.T, since, limit string) (emails []string, a answer) {
	t.Helper()
	a = b.mustSend(t, "GET", "/api/v1/leads?since="+url.QueryEscape(since)+"&limit="+limit, "", 200)
	var leads []shownLead
	if err := json.Unmarshal(a.body.Data, &leads); err != nil {
		t.Fatal(err)
	}
	for _, l := range leads {
		if l.DeletedAt != nil {
			l.Email = "-" + l.Email
		}
		emails = append(emails, l.Email)
	}
	return emails, a
}

// A client that goes on from nextSince gets every change once, deletions too, and nothing of other workspaces.
func TestLeadsSince(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// aged lets what was written so far settle.
	aged := func() {
		b.db.MustExecContext(t.Context(), `update leads set updated_at = updated_at - interval '10 seconds'`)
	}
	ids := map[string]string{}
	for _, email := range []string{"a@example.com", "b@example.com", "c@example.com"} {
		ids[email] = b.mustCreate(t, b.owner, email)
		b.db.MustExecContext(t.Context(), `update leads set updated_at = updated_at - interval '1 minute'`)
	}
	b.mustCreate(t, b.mustWorkspace(t, tenant.Settings{}), "other@example.com")
	aged()
	first, a := b.since(t, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "2")
	if want := []string{"a@example.com", "b@example.com"}; !slices.Equal(first, want) || !a.body.HasMore {
		t.Fatalf("first page = %v, more %v, want %v and more", first, a.body.HasMore, want)
	}
	rest, a := b.since(t, a.body.NextSince, "2")
	if !slices.Equal(rest, []string{"c@example.com"}) || a.body.HasMore || a.body.NextCursor != nil {
		t.Fatalf("second page = %v %s, want one lead and no more", rest, a.text)
	}
	place := a.body.NextSince
	none, a := b.since(t, place, "2")
	if len(none) > 0 || a.body.HasMore || placeOf(t, a.body.NextSince) <= placeOf(t, place) {
		t.Errorf("with nothing new = %v %s, want an empty page and a later place than %s", none, a.text, place)
	}
	b.mustSend(t, "DELETE", "/api/v1/leads/"+ids["b@example.com"], "", 204)
	b.mustSend(t, "PATCH", "/api/v1/leads/"+ids["a@example.com"], `{"name":"Ann"}`, 200)
	if early, _ := b.since(t, place, "2"); len(early) > 0 {
		t.Errorf("changes are listed before they settle: %v", early)
	}
	b.db.MustExecContext(t.Context(), `update leads set updated_at = now() - interval '5.001 seconds' where updated_at > now() - interval '10 seconds'`)
	changed, _ := b.since(t, place, "200")
	slices.Sort(changed)
	if want := []string{"-b@example.com", "a@example.com"}; !slices.Equal(changed, want) {
		t.Errorf("changes = %v, want %v", changed, want)
	}
}

// placeOf returns what nextSince says, which is in the order of places.
func placeOf(t *testing.T, nextSince string) string {
	t.Helper()
	place, err := base64.RawURLEncoding.DecodeString(nextSince)
	if err != nil {
		t.Fatalf("nextSince = %q: %v", nextSince, err)
	}
	return string(place)
}

// What since cannot be is told, and so is what would make it miss something.
func TestSinceIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustPeople(t, 3)
	cursor := *b.mustSend(t, "GET", "/api/v1/leads?limit=1&sort=updatedAt", "", 200).body.NextCursor
	_, a := b.since(t, "2026-01-15T10:30:00Z", "1")
	for query, field := range map[string]string{
		"since=":                        "since",
		"since=yesterday":               "since",
		"since=" + cursor:               "since",
		"since=" + a.body.NextSince[1:]: "since",
		"since=" + a.body.NextSince + "&status=new":                    "status",
		"since=" + a.body.NextSince + "&deleted=true&cursor=" + cursor: "cursor",
		"since=" + a.body.NextSince + "&metadata.a=b":                  "metadata.a",
		"since=" + a.body.NextSince + "&limit=201":                     "limit",
		"cursor=" + a.body.NextSince:                                   "cursor",
		"sort=updatedAt&cursor=" + a.body.NextSince:                    "cursor",
	} {
		got := b.send(t, b.secret, "GET", "/api/v1/leads?"+query, "")
		got.wantError(t, query, 400, "VALIDATION_ERROR")
		if got.body.Details.Field != field || !strings.HasPrefix(got.body.Details.Message, "Must") {
			t.Errorf("%s blames %s: %s, want %s", query, got.body.Details.Field, got.body.Details.Message, field)
		}
	}
}

// A retry under an Idempotency-Key whose first try died makes a lead that a poller finds, and answers the version that
// the lead has.
func TestLateRetryIsFoundSince(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{"email":"a@example.com"}`
	b.keyed(t, b.secret, "/api/v1/leads", "k", body)
	const died = `
update idempotency set status = null, body = null, headers = null, taken_at = now() - interval '1 hour', id = overlay(id::text placing '0190' from 1 for 4)::uuid`
	b.db.MustExecContext(t.Context(), `delete from leads`)
	b.db.MustExecContext(t.Context(), died)
	made := b.keyed(t, b.secret, "/api/v1/leads", "k", body)
	got := b.mustSend(t, "GET", made.header.Get("Location"), "", 200)
	if made.header.Get("Etag") != got.header.Get("Etag") {
		t.Errorf("the answer's ETag is %s, the lead's %s", made.header.Get("Etag"), got.header.Get("Etag"))
	}
	var l shownLead
	if err := json.Unmarshal(got.body.Data, &l); err != nil {
		t.Fatal(err)
	}
	updated, err := time.Parse(time.RFC3339, l.UpdatedAt)
	if err != nil || time.Since(updated) > time.Minute || l.CreatedAt > "2025" {
		t.Errorf("the lead was created at %s and updated at %s, want long ago and now", l.CreatedAt, l.UpdatedAt)
	}
}
