package api_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// specBody is the request of the contract; its metadata comes back as it was typed.
const specBody = `{
"name": "John Doe",
"email": "john.doe@example.com",
"phone": "+1-555-123-4567",
"source": "website",
"status": "new",
"metadata": {
"utm_source": "google",
"interests": ["product_a", "product_b"],
"score": 1.50
}
}`

const metadataBack = `{
"utm_source": "google",
"interests": ["product_a", "product_b"],
"score": 1.50
}`

const timestamp = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`

func TestCreateLeadAnswersTheContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ws, cb := id.Workspace.Format(b.workspace), id.Chatbot.Format(b.chatbot)
	got := b.send(t, b.secret, "POST", "/api/v1/chatbots/"+cb+"/leads", specBody)
	want := `^\{"success":true,"data":(\{"id":"(lead_[0-9a-z]{26})","name":"John Doe","email":"john\.doe@example\.com","phone":"\+1-555-123-4567","source":"website","status":"new","metadata":` +
		regexp.QuoteMeta(metadataBack) + `,"createdAt":"(` + timestamp + `)","updatedAt":"(` + timestamp +
		`)","workspaceId":"` + ws + `","chatbotId":"` + cb + `"\})\}\n$`
	m := regexp.MustCompile(want).FindStringSubmatch(got.text)
	if got.status != http.StatusCreated || m == nil {
		t.Fatalf("POST = %d %s, want 201 %s", got.status, got.text, want)
	}
	if m[3] != m[4] {
		t.Errorf("updatedAt = %s, want createdAt %s", m[4], m[3])
	}
	if l := got.header.Get("Location"); l != "/api/v1/leads/"+m[2] {
		t.Errorf("Location = %q, want /api/v1/leads/%s", l, m[2])
	}
	read := b.send(t, b.secret, "GET", got.header.Get("Location"), "")
	if wantRead := `{"success":true,"data":` + strings.TrimSuffix(m[1], "}") + `,"enrichment":null}}` +
		"\n"; read.text != wantRead {
		t.Errorf("GET = %s, want %s", read.text, wantRead)
	}
}

func TestCreateLeadDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":" Jane@Example.com "}`)
	if want := `"name":null,"email":"Jane@Example.com","phone":null,"source":"api","status":"new","metadata":{},"createdAt"`; !strings.Contains(got.text, want) {
		t.Errorf("answer = %s, want %s in it", got.text, want)
	}
	if strings.Contains(got.text, "chatbotId") {
		t.Errorf("answer = %s, want no chatbotId", got.text)
	}
	own := b.mustWorkspace(t, tenant.Settings{Statuses: []string{"neu", "alt"}})
	if got := b.send(t, own.secret, "POST", "/api/v1/leads", `{"email":"jane@example.com"}`); !strings.Contains(got.text,
		`"status":"neu"`) {
		t.Errorf("answer = %s, want the workspace's own default status", got.text)
	}
	b.send(t, own.secret, "POST", "/api/v1/leads", `{"email":"joe@example.com","status":"new"}`).wantError(t,
		"a status of other workspaces", 400, "VALIDATION_ERROR")
}

func TestDuplicateEmail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.mustCreate(t, b.owner, "john.doe@example.com")
	got := b.send(t, b.secret, "POST", "/api/v1/chatbots/"+id.Chatbot.Format(b.chatbot)+"/leads",
		`{"email":"John.Doe@EXAMPLE.com"}`)
	want := `{"success":false,"error":"Email already exists","code":"DUPLICATE_EMAIL","details":{"email":"John.Doe@EXAMPLE.com","existingLeadId":"` + first +
		`","message":"A lead with this email already exists in your workspace"},"requestId":"` +
		got.header.Get("X-Request-Id") + "\"}\n"
	if got.status != 409 || got.text != want {
		t.Errorf("answer = %d %s, want 409 %s", got.status, got.text, want)
	}
	b.mustCreate(t, b.mustWorkspace(t, tenant.Settings{}), "john.doe@example.com") // another workspace's leads are its own
}

func TestValidationErrorAnswersTheContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"invalid-email","status":"happy"}`)
	const want = `{"success":false,"error":"Validation failed","code":"VALIDATION_ERROR","details":{"field":"email","value":"invalid-email","message":"Must be a valid email address","errors":[{"field":"email","pointer":"/email","value":"invalid-email","message":"Must be a valid email address"},{"field":"status",`
	if got.status != 400 || !strings.HasPrefix(got.text, want) {
		t.Errorf("answer = %d %s, want 400 %s...", got.status, got.text, want)
	}
}

// Whatever is wrong with a body, the answer is a 400 that points at the place; never a 500, and never a row.
func TestStrictInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	meta := func(m string) string { return `{"email":"a@example.com","metadata":` + m + `}` }
	for body, pointer := range map[string]string{
		`{}`:                           "/email",
		`[]`:                           "",
		`null`:                         "",
		`nonsense`:                     "",
		`{"email":"a@example.com"`:     "",
		`{"email":"a@example.com"} {}`: "",
		`{"email":1}`:                  "/email",
		`{"email":["a@example.com"]}`:  "/email",
		`{"email":"a@example.com","email":"b@example.com"}`: "/email",
		`{"email":"a@example.com","Email":"b@example.com"}`: "/Email",
		`{"email":"a@example.com","extra/one":1}`:           "/extra~1one",
		`{"email":"a@example.com","name":"` + "\xff" + `"}`: "*",
		`{"email":"a@example.com","name":"\ud800"}`:         "*",
		`{"email":"a@example.com","name":{}}`:               "/name",
		`{"email":"a@example.com","phone":5551234567}`:      "/phone",
		`{"email":"a@example.com","source":true}`:           "/source",
		`{"email":"a@example.com","status":"newer"}`:        "/status",
		meta(`"text"`):                   "/metadata",
		meta(`[]`):                       "/metadata",
		meta(`{"a":{"b":[1,"\u0000"]}}`): "/metadata/a/b/1",
		meta(`{"a":1e131072}`):           "/metadata/a",
		meta(`{"a":1,"a":2}`):            "/metadata/a",
		meta(`{"a":[{"b":1,"b":2}]}`):    "/metadata/a/0/b",
		meta(strings.Repeat(`{"a":`, 9) + "1" + strings.Repeat("}", 9)):       "*",
		meta(`{"a":"` + strings.Repeat("x", 32<<10) + `"}`):                   "/metadata",
		`{"email":"` + strings.Repeat("a", 255) + `@example.com"}`:            "/email",
		`{"email":"a@example.com","name":"` + strings.Repeat("é", 201) + `"}`: "/name",
	} {
		t.Run(body[:min(len(body), 60)], func(t *testing.T) {
			got := b.send(t, b.secret, "POST", "/api/v1/leads", body)
			what := body[:min(len(body), 60)]
			got.wantError(t, what, 400, "VALIDATION_ERROR")
			if len(got.body.Details.Errors) == 0 {
				t.Errorf("%s = %s, want details.errors", what, got.text)
				return
			}
			if at := got.body.Details.Errors[0].Pointer; at != pointer && pointer != "*" {
				t.Errorf("%s points at %q, want %q", what, at, pointer)
			}
		})
	}
	b.mustCreate(t, b.owner, "a@example.com") // nothing above took the email
}

func TestEmptyBody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req, err := http.NewRequestWithContext(t.Context(), "POST", b.url+"/api/v1/leads", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.secret)
	b.do(t, req).wantError(t, "no body, no type", 415, "UNSUPPORTED_MEDIA_TYPE")
	req.Header.Set("Content-Type", "application/json")
	b.do(t, req).wantError(t, "no body", 400, "VALIDATION_ERROR")
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, body := range map[string]io.Reader{
		"with a length": strings.NewReader(strings.Repeat(" ", 64<<10+1)),
		"chunked":       io.MultiReader(strings.NewReader(strings.Repeat(" ", 64<<10+1))),
	} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", b.url+"/api/v1/leads", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+b.secret)
		req.Header.Set("Content-Type", "application/json")
		b.do(t, req).wantError(t, name, 413, "PAYLOAD_TOO_LARGE")
	}
	padded := fmt.Sprintf(`{"email":"a@example.com"%*s`, 64<<10-24, "}")
	if got := b.send(t, b.secret, "POST", "/api/v1/leads", padded); got.status != 201 {
		t.Errorf("a body of exactly 64 KiB = %d %s, want 201", got.status, got.text)
	}
}

// One address is one lead, however a keyboard, a browser or a mail program wrote it, and mail can be sent to what is
// shown.
func TestOneEmailInManySpellings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, first := range []struct {
		typed, shown string
		others       []string
	}{
		{"Ｂｏｂ＠Example.com", "Bob@Example.com", []string{"bob@example.com", "ｂｏｂ@example.com", "bob@ｅｘａｍｐｌｅ。com"}},
		{"ann\u200b@example.com\ufeff", "ann@example.com", []string{"ANN@example.com", "a\u00adnn@example.com"}},
		{"x@BÜCHER.example.com", "x@BÜCHER.example.com", []string{"x@xn--bcher-kva.example.com", "x@bu\u0308cher.example.com"}},
		{"a..b.@example.com", "a..b.@example.com", []string{"A..B.@EXAMPLE.com"}},
	} {
		t.Run(first.shown, func(t *testing.T) {
			made := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"`+first.typed+`"}`)
			lead := mustID(t, made)
			if !strings.Contains(made.text, `"email":"`+first.shown+`"`) {
				t.Errorf("POST %q shows %s, want %s", first.typed, made.text, first.shown)
			}
			for _, other := range first.others {
				got := b.send(t, b.secret, "POST", "/api/v1/leads", `{"email":"`+other+`"}`)
				if got.wantError(t, other, 409, "DUPLICATE_EMAIL"); !strings.Contains(got.text, lead) {
					t.Errorf("POST %q = %s, want lead %s", other, got.text, lead)
				}
			}
		})
	}
}
