package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// ask is send with one more header field, "Name: value".
func (b *bundle) ask(t *testing.T, secret, method, path, body, field string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	name, value, _ := strings.Cut(field, ": ")
	req.Header.Set(name, value)
	return b.do(t, req)
}

// leadData is what these tests read of a lead.
type leadData struct {
	ID, Name, Email, Phone, Source, Status, CreatedAt, UpdatedAt string
	Metadata                                                     json.RawMessage
}

func (a answer) lead(t *testing.T) (l leadData) {
	t.Helper()
	if err := json.Unmarshal(a.body.Data, &l); err != nil {
		t.Fatalf("answer = %d %s, want a lead: %v", a.status, a.text, err)
	}
	return l
}

func TestUpdateLead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.send(t, b.secret, "POST", "/api/v1/leads", specBody)
	path := "/api/v1/leads/" + mustID(t, made)
	got := b.ask(t, b.secret, "PATCH", path,
		`{"name":"Jane","phone":null,"status":"qualified","metadata":{"score":null,"utm_source":"bing","new":{"a":1,"b":null}}}`, "Content-Type: application/merge-patch+json")
	l := got.lead(t)
	if got.status != 200 || l.Name != "Jane" || l.Status != "qualified" || l.Source != "website" ||
		l.UpdatedAt <= l.CreatedAt || !strings.Contains(got.text, `"phone":null`) {
		t.Fatalf("PATCH = %d %s, want what was given changed and the rest as it was", got.status, got.text)
	}
	if want := `{"utm_source":"bing","interests":["product_a", "product_b"],"new":{"a":1}}`; string(l.Metadata) != want {
		t.Errorf("metadata = %s, want %s", l.Metadata, want)
	}
	tag := got.header.Get("ETag")
	if read := b.send(t, b.secret, "GET", path, ""); read.text != got.text || read.header.Get("ETag") != tag ||
		tag == "" || tag == made.header.Get("ETag") {
		t.Errorf("GET = %s with ETag %s, want what PATCH answered: %s with %s", read.text, read.header.Get("ETag"), got.text,
			tag)
	}
	for what, body := range map[string]string{"nothing": `{}`,
		"what is there": `{"name":"Jane","metadata":{"new":{"a":1},"utm_source":"b\u0069ng","none":null}}`} {
		if same := b.send(t, b.secret, "PATCH", path, body); same.status != 200 || same.text != got.text ||
			same.header.Get("ETag") != tag {
			t.Errorf("PATCH with %s = %d %s, want the lead unchanged", what, same.status, same.text)
		}
	}
	if n := strings.Count(b.send(t, b.secret, "GET", "/api/v1/events?leadId="+l.ID, "").text, `"lead.updated"`); n != 1 {
		t.Errorf("%d events lead.updated, want 1", n)
	}
}

func TestUpdateLeadRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/api/v1/leads/" + b.mustCreate(t, b.owner, "a@example.com")
	for body, fields := range map[string][]string{
		`{"email":null}`: {"/email"},
		`{"email":"x","source":"","status":"what"}`:                       {"/email", "/source", "/status"},
		`{"status":null,"source":null}`:                                   {"/status", "/source"},
		`{"name":1,"metadata":[]}`:                                        {"/name", "/metadata"},
		`{"chatbotId":"cb_x"}`:                                            {"/chatbotId"},
		`{"metadata":{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{}}}}}}}}}}`: {"/metadata/a/b/c/d/e/f/g/h"},
	} {
		t.Run(body, func(t *testing.T) {
			got := b.send(t, b.secret, "PATCH", path, body)
			got.wantError(t, body, 400, "VALIDATION_ERROR")
			for i, want := range fields {
				if i >= len(got.body.Details.Errors) || got.body.Details.Errors[i].Pointer != want {
					t.Errorf("PATCH %s: errors %+v, want %v", body, got.body.Details.Errors, fields)
					break
				}
			}
		})
	}
	// Each patch is small enough; what they come to is not.
	big := func(name string) string { return `{"metadata":{"` + name + `":"` + strings.Repeat("x", 20_000) + `"}}` }
	if got := b.send(t, b.secret, "PATCH", path, big("a")); got.status != 200 {
		t.Fatalf("PATCH = %d %s, want 200", got.status, got.text)
	}
	b.send(t, b.secret, "PATCH", path, big("b")).wantError(t, "metadata too large once merged", 400, "VALIDATION_ERROR")
	other := b.mustWorkspace(t, tenant.Settings{})
	for _, c := range [][2]string{{other.secret, path}, {b.secret, "/api/v1/leads/" + id.Lead.Format(id.New())},
		{b.secret, "/api/v1/leads/john"}} {
		t.Run(c[1], func(t *testing.T) {
			b.send(t, c[0], "PATCH", c[1], `{"email":"not even valid"}`).wantError(t, c[1], 404, "NOT_FOUND")
		})
	}
}

// A new email frees the former one at once, and is the lead's own at once.
func TestUpdateLeadMovesItsEmail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.mustCreate(t, b.owner, "a@example.com")
	other := b.mustCreate(t, b.owner, "z@example.com")
	if got := b.send(t, b.secret, "PATCH", "/api/v1/leads/"+first, `{"email":"B@example.com"}`); got.status != 200 ||
		got.lead(t).Email != "B@example.com" {
		t.Fatalf("PATCH = %d %s, want the new email", got.status, got.text)
	}
	dup := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"b@example.com"}`)
	dup.wantError(t, "POST of the new email", 409, "DUPLICATE_EMAIL")
	if !strings.Contains(dup.text, first) {
		t.Errorf("409 = %s, want %s named", dup.text, first)
	}
	b.mustCreate(t, b.owner, "a@example.com")
	taken := b.send(t, b.secret, "PATCH", "/api/v1/leads/"+first, `{"name":"x","email":"Z@example.com"}`)
	taken.wantError(t, "PATCH to another lead's email", 409, "DUPLICATE_EMAIL")
	if !strings.Contains(taken.text, other) || b.send(t, b.secret, "GET", "/api/v1/leads/"+first, "").lead(t).Name != "" {
		t.Errorf("409 = %s, want %s named and nothing changed", taken.text, other)
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"a@example.com"}`)
	path, tag := "/api/v1/leads/"+mustID(t, made), made.header.Get("ETag")
	n := 0
	patch := func(match string) answer {
		n++
		return b.ask(t, b.secret, "PATCH", path, fmt.Sprintf(`{"name":"n%d"}`, n), "If-Match: "+match)
	}
	for _, match := range []string{`"x"`, `W/` + tag, `"x", "y",`, `"a,b"`} {
		t.Run(match, func(t *testing.T) {
			got := patch(match)
			got.wantError(t, match, 412, "PRECONDITION_FAILED")
			if !strings.Contains(got.body.Error, tag) {
				t.Errorf("412 says %q, want the ETag %s in it", got.body.Error, tag)
			}
			if weak := strings.HasPrefix(match, "W/"); strings.Contains(got.body.Error, "was changed") == weak {
				t.Errorf("412 says %q of the lead as it is: %t", got.body.Error, weak)
			}
			b.ask(t, b.secret, "DELETE", path, "", "If-Match: "+match).wantError(t, "DELETE with "+match, 412,
				"PRECONDITION_FAILED")
		})
	}
	for _, match := range []string{``, `x`, `"x`, `"x" "y"`, `*, "x"`, `"a b"`, `W/x`, `,`} {
		t.Run(match, func(t *testing.T) {
			patch(match).wantError(t, match, 400, "VALIDATION_ERROR")
		})
	}
	for _, match := range []string{`%s`, `"x" , %s`, `,%s,W/"y"`, `*`} {
		match = strings.ReplaceAll(match, "%s", tag)
		got := patch(match)
		if got.status != 200 || got.header.Get("ETag") == tag {
			t.Errorf("PATCH with %s = %d %s, want 200 and another ETag", match, got.status, got.text)
		}
		tag = got.header.Get("ETag")
	}
}

// Of many who change one version exactly one wins.
func TestIfMatchOneWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"a@example.com"}`)
	path, tag := "/api/v1/leads/"+mustID(t, made), made.header.Get("ETag")
	for round := range 4 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		statuses, next := map[int]int{}, ""
		for i := range 25 {
			wg.Go(func() {
				got := b.ask(t, b.secret, "PATCH", path, fmt.Sprintf(`{"name":"%d %d"}`, round, i), "If-Match: "+tag)
				mu.Lock()
				defer mu.Unlock()
				if statuses[got.status]++; got.status == 200 {
					next = got.header.Get("ETag")
				}
			})
		}
		wg.Wait()
		if statuses[200] != 1 || statuses[412] != 24 {
			t.Fatalf("round %d: statuses %v, want one 200 and 24 of 412", round, statuses)
		}
		tag = next
	}
}

func TestOnDuplicate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := mustID(t, b.send(t, b.secret, "POST", "/api/v1/leads",
		`{"email":"a@example.com","name":"Ann","phone":"+1-555-1","source":"page","status":"lost","metadata":{"x":1,"y":{"z":2}}}`))
	again := func(on, body string) answer {
		return b.send(t, b.secret, "POST", "/api/v1/leads?onDuplicate="+on, body)
	}
	again("error", `{"email":"a@example.com"}`).wantError(t, "error", 409, "DUPLICATE_EMAIL")
	again("maybe", `{"email":"a@example.com"}`).wantError(t, "maybe", 400, "VALIDATION_ERROR")
	got := again("return", `{"email":"A@example.com","name":"Bob"}`)
	if l := got.lead(t); got.status != 200 || l.ID != first || l.Name != "Ann" || l.Email != "a@example.com" ||
		got.header.Get("ETag") == "" {
		t.Errorf("return = %d %s, want 200 with the lead as it was", got.status, got.text)
	}
	got = again("update", `{"email":"A@example.com","name":"Bob","metadata":{"x":null,"y":{"w":3}}}`)
	l := got.lead(t)
	if got.status != 200 || l.ID != first || l.Name != "Bob" || l.Email != "A@example.com" || l.Phone != "+1-555-1" ||
		l.Source != "page" || l.Status != "lost" || string(l.Metadata) != `{"y":{"z":2,"w":3}}` {
		t.Errorf("update = %d %s, want what was given replaced, metadata merged and the rest as it was", got.status, got.text)
	}
	if got := again("update", `{"email":"new@example.com"}`); got.status != 201 {
		t.Errorf("update of nobody = %d %s, want 201", got.status, got.text)
	}
	cb := id.Chatbot.Format(b.chatbot)
	if got := b.send(t, b.secret, "POST", "/api/v1/chatbots/"+cb+"/leads?onDuplicate=return",
		`{"email":"a@example.com"}`); got.status != 200 || got.lead(t).ID != first {
		t.Errorf("return for a chatbot = %d %s, want 200 with the lead", got.status, got.text)
	}
	// Redis may go on naming a lead that is gone.
	if _, err := b.db.ExecContext(t.Context(), `delete from leads where email_key = 'a@example.com'`); err != nil {
		t.Fatal(err)
	}
	if got := again("update", `{"email":"a@example.com"}`); got.status != 201 || got.lead(t).ID == first {
		t.Errorf("update of a lead that is gone = %d %s, want 201 with another", got.status, got.text)
	}
}
