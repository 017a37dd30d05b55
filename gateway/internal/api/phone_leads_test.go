package api_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leadgate/shared/tenant"
)

// byPhone is a workspace that takes leads with a phone and no email.
func (b *bundle) byPhone(t *testing.T) owner {
	t.Helper()
	return b.mustWorkspace(t, tenant.Settings{Identify: tenant.IdentifyEmailOrPhone, DefaultRegion: "SE"})
}

// A lead may have a phone and no email, is unique by it in any spelling, and is shown with a null where its email was.
func TestLeadByPhone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.byPhone(t)
	made := b.send(t, c.secret, "POST", "/api/v1/leads", `{"name":"Axel","phone":"070 123 45 67 (Axel)"}`)
	lead := mustID(t, made)
	if !strings.Contains(made.text, `"email":null,"phone":"070 123 45 67 (Axel)"`) {
		t.Errorf("POST = %s, want a null email and the phone as typed", made.text)
	}
	for _, body := range []string{`{"phone":"+46701234567"}`, `{"email":null,"phone":"0701234567"}`,
		`{"email":" ","phone":"0046 70-123 45 67"}`} {
		got := b.send(t, c.secret, "POST", "/api/v1/leads", body)
		got.wantError(t, body, 409, "DUPLICATE_PHONE")
		if !strings.Contains(got.text, `"existingLeadId":"`+lead+`"`) || !strings.Contains(got.text,
			`"message":"A lead with this phone already exists in your workspace"`) || strings.Contains(got.text, "email") {
			t.Errorf("POST %s = %s, want the holder and no word of an email", body, got.text)
		}
	}
	mustID(t, b.send(t, c.secret, "POST", "/api/v1/leads", `{"email":"axel@example.com","phone":"+46701234567"}`))
	got := b.send(t, c.secret, "POST", "/api/v1/leads?onDuplicate=update", `{"phone":"+46 70 123 45 67","status":"lost"}`)
	if got.status != 200 || !strings.Contains(got.text, lead) || !strings.Contains(got.text,
		`"phone":"+46 70 123 45 67"`) {
		t.Errorf("update on duplicate = %d %s, want the lead, changed", got.status, got.text)
	}
	batch := b.send(t, c.secret, "POST", "/api/v1/leads/batch", `{"leads":[{"phone":"+46701234567"},{"phone":"070-999 88 77"},`+
		`{"phone":"+46 70 999 88 77"},{"phone":"call me"},{"name":"x"}]}`)
	for _, part := range []string{`"code":"DUPLICATE_PHONE","details":{"phone":"+46701234567","existingLeadId":"` + lead,
		`{"index":1,"status":201`, `"details":{"phone":"+46 70 999 88 77"`, `"duplicateOf":1`,
		`"pointer":"/leads/3/phone"`, `"pointer":"/leads/4/email"`} {
		if !strings.Contains(batch.text, part) {
			t.Errorf("batch = %s, want %s", batch.text, part)
		}
	}
	found, _ := page[shownLead](t, b.as(c), "/api/v1/leads?phone=070%20123%2045%2067&status=lost")
	if len(found) != 1 || found[0].ID != lead {
		t.Errorf("by phone = %+v, want the lead", found)
	}
	if got := b.send(t, c.secret, "GET", "/api/v1/leads/export", ""); !strings.Contains(got.text, "Axel,,") {
		t.Errorf("export = %s, want an empty cell for the email", got.text)
	}
}

// as is b for another owner.
func (b *bundle) as(c owner) *bundle {
	return &bundle{db: b.db, redis: b.redis, url: b.url, client: b.client, owner: c}
}

// Without a number that can be called there is no lead, and the error says what would be right; where a workspace takes
// emails only, nothing changes.
func TestLeadByPhoneIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.byPhone(t)
	for body, pointer := range map[string]string{
		`{}`: "/email", `{"phone":""}`: "/email", `{"email":null}`: "/email", `{"phone":"call me"}`: "/phone",
		`{"phone":"112"}`: "/phone", `{"phone":"+1 800 FLOWERS"}`: "/phone", `{"phone":"+999 123"}`: "/phone",
		`{"email":"x","phone":"+46701234567"}`: "/email",
	} {
		got := b.send(t, c.secret, "POST", "/api/v1/leads", body)
		got.wantError(t, body, 400, "VALIDATION_ERROR")
		if e := got.body.Details.Errors; len(e) != 1 || e[0].Pointer != pointer ||
			pointer == "/phone" && !strings.Contains(e[0].Message, "country code") {
			t.Errorf("POST %s = %s, want one error at %s", body, got.text, pointer)
		}
	}
	for _, body := range []string{`{"phone":"+46701234567"}`, `{"email":null,"phone":"+46701234567"}`} {
		got := b.send(t, b.secret, "POST", "/api/v1/leads", body)
		if got.wantError(t, body, 400, "VALIDATION_ERROR"); got.body.Details.Message != "Must be a valid email address" {
			t.Errorf("POST %s where emails are needed = %s", body, got.text)
		}
	}
}

// A lead gets an email, loses it again, and changes its phone, and each frees what it was known by.
func TestLeadByPhoneIsChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.byPhone(t)
	lead := mustID(t, b.send(t, c.secret, "POST", "/api/v1/leads", `{"phone":"+46701234567"}`))
	other := mustID(t, b.send(t, c.secret, "POST", "/api/v1/leads", `{"phone":"+46709998877"}`))
	post := func(body string, status int) {
		t.Helper()
		if got := b.send(t, c.secret, "POST", "/api/v1/leads", body); got.status != status {
			t.Errorf("POST %s = %d %s, want %d", body, got.status, got.text, status)
		}
	}
	patch := func(body string, status int, part string) {
		t.Helper()
		got := b.send(t, c.secret, "PATCH", "/api/v1/leads/"+lead, body)
		if got.status != status || !strings.Contains(got.text, part) {
			t.Errorf("PATCH %s = %d %s, want %d with %s", body, got.status, got.text, status, part)
		}
	}
	patch(`{"phone":"070 999 88 77"}`, 409, other)
	patch(`{"phone":null}`, 400, "/phone")
	patch(`{"phone":"call me"}`, 400, "/phone")
	patch(`{"name":"Axel"}`, 200, `"email":null`)
	patch(`{"phone":"070 111 22 33"}`, 200, `"phone":"070 111 22 33"`)
	post(`{"phone":"+46701112233"}`, 409)
	patch(`{"email":"axel@example.com"}`, 200, `"email":"axel@example.com"`)
	post(`{"email":"axel@example.com"}`, 409)
	post(`{"phone":"+46701234567"}`, 201)
	patch(`{"email":null,"phone":"0701234567"}`, 409, "DUPLICATE_PHONE")
	patch(`{"phone":"call me"}`, 200, "call me")
	patch(`{"email":null}`, 400, "/phone")
	patch(`{"email":null,"phone":"0701112233"}`, 200, `"email":null`)
	post(`{"email":"axel@example.com"}`, 201)
	if got := b.send(t, c.secret, "DELETE", "/api/v1/leads/"+lead, ""); got.status != 204 {
		t.Fatalf("DELETE = %d %s", got.status, got.text)
	}
	post(`{"phone":"+46701112233"}`, 201)
	got := b.send(t, c.secret, "POST", "/api/v1/leads/"+lead+"/restore", "")
	got.wantError(t, "restore", 409, "DUPLICATE_PHONE")
}

// A phone that is suppressed, or was erased so, makes no lead without an email.
func TestLeadByPhoneIsSuppressed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.byPhone(t)
	lead := mustID(t, b.send(t, c.secret, "POST", "/api/v1/leads", `{"phone":"+46701234567"}`))
	if got := b.send(t, c.secret, "DELETE", "/api/v1/leads/"+lead+"?erase=true&suppress=true", ""); got.status != 200 {
		t.Fatalf("erase = %d %s", got.status, got.text)
	}
	got := b.send(t, c.secret, "POST", "/api/v1/suppressions", `{"phone":"070 999 88 77"}`)
	if got.status != 201 || !strings.Contains(got.text, `"phone":"+46709998877"`) {
		t.Fatalf("suppress = %d %s", got.status, got.text)
	}
	for _, phone := range []string{"070-123 45 67", "+46709998877"} {
		got := b.send(t, c.secret, "POST", "/api/v1/leads", `{"phone":"`+phone+`"}`)
		got.wantError(t, phone, 409, "PHONE_SUPPRESSED")
		mustID(t, b.send(t, c.secret, "POST", "/api/v1/leads", `{"email":"`+phone[len(phone)-2:]+`@example.com","phone":"`+
			phone+`"}`))
	}
	b.send(t, c.secret, "POST", "/api/v1/suppressions", `{"phone":"1"}`).wantError(t, "no number", 400, "VALIDATION_ERROR")
	b.send(t, c.secret, "POST", "/api/v1/suppressions", `{"email":"a@example.com","phone":"0701234567"}`).wantError(t,
		"both", 400, "VALIDATION_ERROR")
	if got := b.send(t, c.secret, "DELETE", "/api/v1/suppressions?phone=0709998877", ""); got.status != 204 {
		t.Errorf("allow = %d %s, want 204", got.status, got.text)
	}
	mustID(t, b.send(t, c.secret, "POST", "/api/v1/leads", `{"phone":"+46709998877"}`))
}

// Of many who post one phone at once in many spellings one makes the lead, also while Redis forgets everything.
func TestLeadByPhoneRace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.byPhone(t)
	spellings := []string{"+4670123456%d", "070 123 45 6%d", "0046 70123456%d", "+46 (0)70-123 45 6%d", "070-123456%d (Axel)"}
	for round := range 3 {
		var made, refused atomic.Int32
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				if i%20 == 10 {
					b.redis.FlushDB(t.Context())
				}
				phone := fmt.Sprintf(spellings[i%len(spellings)], round)
				switch got := b.send(t, c.secret, "POST", "/api/v1/leads", `{"phone":"`+phone+`"}`); got.status {
				case 201:
					made.Add(1)
				case 409:
					refused.Add(1)
				default:
					t.Errorf("POST = %d %s", got.status, got.text)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 || refused.Load() != 59 {
			t.Errorf("round %d: %d made and %d refused, want 1 and 59", round, made.Load(), refused.Load())
		}
	}
}

// A form takes a phone without an email where its workspace does, keeps what is no email, and says what is missing.
func TestFormByPhone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.byPhone(t)
	form := b.mustForm(t, c, tenant.Form{Origins: []string{"*"}})
	for _, body := range []string{"name=Axel&phone=070+123+45+67", "email=none&tel=%2B46709998877"} {
		if got := b.submit(t, form, body); got.status >= 400 {
			t.Errorf("submit %s = %d %s, want it taken", body, got.status, got.text)
		}
	}
	if got := b.submit(t, form, "name=Axel&phone=112"); got.status != 400 {
		t.Errorf("submit of no number = %d %s, want 400", got.status, got.text)
	}
	all := b.mustLeads(t, c)
	if len(all) != 2 {
		t.Fatalf("%d leads, want 2: %+v", len(all), all)
	}
	keys := map[string]string{}
	for _, l := range all {
		keys[l.UniqueKey] = l.Email + string(l.Metadata)
	}
	if _, ok := keys["+46701234567"]; !ok || !strings.Contains(keys["+46709998877"], `"email":"none"`) {
		t.Errorf("leads = %v, want both known by their phones, and what was no email in metadata", keys)
	}
}

// The setting is the workspace's own, and off unless it is set.
func TestIdentifySetting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.send(t, b.secret, "GET", "/api/v1/workspace", ""); !strings.Contains(got.text, `"identify":"email"`) {
		t.Errorf("GET workspace = %s, want identify email", got.text)
	}
	b.patchWorkspace(t, b.secret, `{"identify":"email_or_phone"}`)
	b.forward(time.Second)
	mustID(t, b.send(t, b.secret, "POST", "/api/v1/leads", `{"phone":"+46701234567"}`))
	b.patchWorkspace(t, b.secret, `{"identify":null}`)
	b.forward(time.Second)
	b.send(t, b.secret, "POST", "/api/v1/leads", `{"phone":"+46701112233"}`).wantError(t, "again", 400, "VALIDATION_ERROR")
	b.send(t, b.secret, "PATCH", "/api/v1/workspace", `{"identify":"phone"}`).wantError(t, "phone", 400, "VALIDATION_ERROR")
}
