package console_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
)

// A key that is made on the page opens the API, its successor too, and neither once it is revoked.
func TestKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	v.post(t, "/console/keys/new", url.Values{"name": {"Our shop"}}).want(t, "<b>scopes</b>", `value="Our shop"`)
	v.post(t, "/console/keys/new", url.Values{"name": {"Our shop"}, "scopes": {"leads:read"}, "mode": {"live"},
		"expiresAt": {"2999-01-02T03:04"}}).want(t, "sk-", "shown this once", "See leads")
	var all []struct {
		ID, Name, ExpiresAt, RevokedAt string
		Scopes                         []string
	}
	list := func() {
		t.Helper()
		b.call(t, "GET", "/keys", "", &all)
	}
	list()
	if len(all) != 2 || all[0].Name != "Our shop" || all[0].ExpiresAt != "2999-01-02T03:04:00.000Z" || len(all[0].Scopes) != 1 {
		t.Fatalf("keys = %+v", all)
	}
	page := "/console/keys/" + all[0].ID
	got := v.get(t, "/console/keys")
	got.want(t, "Our shop", page, "leads:read", "never")
	if strings.Contains(got.text, "sk-") {
		t.Error("the list has a secret")
	}
	v.post(t, page, url.Values{"name": {"The shop"}}).want(t, "The key was renamed", "The shop")
	v.post(t, page+"/rotate", url.Values{"overlapSeconds": {"3600"}}).want(t, "sk-", "shown this once")
	if list(); len(all) != 3 || all[0].Name != "The shop" {
		t.Errorf("after it was rotated the keys are %+v", all)
	}
	v.post(t, page+"/revoke", nil).want(t, "The key was revoked", "Revoked")
	if list(); all[1].RevokedAt == "" {
		t.Errorf("after it was revoked the keys are %+v", all)
	}
}

// Who is signed in is seen, and signed out, one and all.
func TestSignIns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v, other := b.mustSignIn(t, b.secret), b.mustSignIn(t, b.secret)
	v.get(t, "/console/sessions").want(t, ">you<", "Signed in with a key")
	v.post(t, "/console/sessions", url.Values{"name": {"Ada"}, "scopes": {"leads:read"}, "expiresInSeconds": {"3600"}}).
		want(t, "/console/open#", "shown this once")
	var all []struct{ ID, Name, OpenedAt, EndedAt string }
	b.call(t, "GET", "/console-sessions", "", &all)
	if len(all) != 3 || all[0].Name != "Ada" {
		t.Fatalf("sessions = %+v", all)
	}
	v.post(t, "/console/sessions/"+all[0].ID+"/end", nil).want(t, "It was signed out")
	if got := v.post(t, "/console/sessions/end", nil); got.path != "/console/sign-in" {
		t.Errorf("arrived at %s", got.path)
	}
	b.call(t, "GET", "/console-sessions", "", &all)
	if slices.ContainsFunc(all, func(s struct{ ID, Name, OpenedAt, EndedAt string }) bool { return s.EndedAt == "" }) {
		t.Errorf("sessions = %+v, want all ended", all)
	}
	wantSignedOut(t, other)
}

// Settings that are saved are those of the API, and what was not touched stays at its default.
func TestSettings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	type shown struct {
		Name, Dedupe, Identify, DefaultRegion string
		Rate, RateCeiling, DeliveryTargetMs   int
		Statuses, AllowedOrigins              []string
		RetrySchedule                         []int
	}
	var before, after shown
	b.call(t, "GET", "/workspace", "", &before)
	v.get(t, "/console/settings").want(t, before.Name, before.Statuses[0])
	v.post(t, "/console/settings", url.Values{"name": {""}, "retrySchedule": {"0, soon"}}).
		want(t, "<b>name</b>", "<b>retrySchedule</b>", "0, soon")
	v.post(t, "/console/settings", url.Values{"name": {"Ada & Co"}, "statuses": {"new\r\nwon\r\n"}, "dedupe": {"chatbot"},
		"identify": {"email_or_phone"}, "defaultRegion": {"de"}, "allowedOrigins": {"https://www.example.com\n"},
		"retrySchedule": {"0, 5s, 2m"}, "deliveryTargetMs": {"1.5"}, "rate": {"7"}, "burst": {""}}).
		want(t, "The settings were saved", "Ada &amp; Co", "0, 5s, 2m", `value="1.5"`)
	b.call(t, "GET", "/workspace", "", &after)
	if after.Name != "Ada & Co" || after.Dedupe != "chatbot" || after.Identify != "email_or_phone" || after.Rate != 7 ||
		after.DefaultRegion != "DE" || after.DeliveryTargetMs != 1500 || !slices.Equal(after.Statuses, []string{"new", "won"}) ||
		!slices.Equal(after.RetrySchedule, []int{0, 5, 120}) || !slices.Equal(after.AllowedOrigins, []string{"https://www.example.com"}) {
		t.Errorf("settings = %+v", after)
	}
	v.post(t, "/console/settings", url.Values{"rate": {""}, "deliveryTargetMs": {""}}).want(t, "The settings were saved")
	b.call(t, "GET", "/workspace", "", &after)
	if after.Rate != before.RateCeiling || after.Name != "Ada & Co" {
		t.Errorf("settings = %+v, want the ceiling's rate %d", after, before.RateCeiling)
	}
}

func TestChatbots(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	v.post(t, "/console/settings/chatbots", url.Values{"name": {" "}}).want(t, "<b>name</b>")
	v.post(t, "/console/settings/chatbots", url.Values{"name": {"<b>Shop</b>"}}).want(t, "The chatbot was made", "&lt;b&gt;Shop")
	var all []struct{ ID, Name string }
	b.call(t, "GET", "/chatbots", "", &all)
	page := "/console/settings/chatbots/" + all[1].ID
	v.post(t, page, url.Values{"name": {"Store"}}).want(t, "The chatbot was renamed", "Store")
	v.post(t, page+"/delete", nil).want(t, "The chatbot was deleted")
	if b.call(t, "GET", "/chatbots", "", &all); len(all) != 1 {
		t.Errorf("chatbots = %+v", all)
	}
}

// The books say what came and why some of it was refused, and audit who did what.
func TestBooksAndAudit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.mustSignIn(t, b.secret)
	v.get(t, "/console/books").want(t, "Nothing was received on these days")
	b.mustLead(t, `{"email":"ada@example.com"}`)
	for range 2 {
		r, _ := http.NewRequestWithContext(t.Context(), "POST", b.url+"/api/v1/leads", strings.NewReader(`{"email":"none"}`))
		r.Header.Set("Authorization", "Bearer "+b.secret)
		r.Header.Set("Content-Type", "application/json")
		if res, err := http.DefaultClient.Do(r); err != nil || res.Body.Close() != nil || res.StatusCode != 400 {
			t.Fatal(res, err)
		}
	}
	if err := b.books.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.get(t, "/console/books").want(t, "API, one by one", "The books are balanced", "Why 2 were refused",
		"<b>2</b> had a mistake")
	if got := v.get(t, "/console/books/csv"); !strings.Contains(got.text, ",api,,3,1,0,0,0,0,0,2\n") ||
		!strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") {
		t.Errorf("CSV = %q of type %s", got.text, got.header.Get("Content-Type"))
	}
	if got := v.get(t, "/console/books?from=2020-01-01"); got.status != 400 {
		t.Errorf("six years = %d, want 400", got.status)
	}
	v.get(t, "/console/books?from=2026-01-01&until=2026-01-02").want(t, "Nothing was received on these days")
	v.post(t, "/console/keys/new", url.Values{"name": {"Our shop"}, "scopes": {"leads:read"}})
	got := v.get(t, "/console/audit")
	got.want(t, "made the key", "Our shop", "signed in to the console", "Somebody in the console")
	if few := b.mustSignIn(t, b.mustKey(t, b.workspace, tenant.LeadsRead)).get(t, "/console/audit"); few.status != 403 {
		t.Errorf("audit without its scope = %d", few.status)
	}
}

// wantSignedOut fails when a visitor stays signed in: what a gateway remembers of a session is over within a second.
func wantSignedOut(t *testing.T, v *visitor) {
	t.Helper()
	testwait.Until(t, "the sign-in page", func() bool { return v.get(t, "/console").path == "/console/sign-in" })
}
