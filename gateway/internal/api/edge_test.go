package api_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"leadgate/shared/id"
)

func TestPanicIsInternal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://panic.example.com/"}`)
	got.wantError(t, "a bug", 500, "INTERNAL")
	if strings.Contains(got.text, "a bug") {
		t.Errorf("answer = %s, want no word of the reason", got.text)
	}
}

func TestPostgresAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cb := id.Chatbot.Format(b.chatbot)
	if got := b.send(t, b.secret, "POST", "/api/v1/chatbots/"+cb+"/leads",
		`{"email":"a@example.com"}`); got.status != 201 {
		t.Fatalf("POST = %d %s, want 201", got.status, got.text)
	}
	b.db.Close()
	for _, c := range [][3]string{
		{"POST", "/api/v1/chatbots/" + cb + "/leads", `{"email":"b@example.com"}`},
		{"GET", "/api/v1/leads/" + id.Lead.Format(id.New()), ""},
		{"GET", "/api/v1/webhooks", ""},
	} {
		got := b.send(t, b.secret, c[0], c[1], c[2])
		got.wantError(t, c[0]+" "+c[1], 503, "UNAVAILABLE")
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%s %s has no Retry-After", c[0], c[1])
		}
	}
	// Redis has the reservation, but whether the lead is still there only Postgres knows.
	b.send(t, b.secret, "POST", "/api/v1/chatbots/"+cb+"/leads", `{"email":"a@example.com"}`).wantError(t,
		"a duplicate that cannot be looked up", 503, "UNAVAILABLE")
}

func TestRouterErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/nothing", "/api/v1", "/api/v1/leads/", "//api/v1/leads", "/api/v1/leads/a/b"} {
		t.Run(path, func(t *testing.T) {
			b.send(t, "", "GET", path, "").wantError(t, path, 404, "NOT_FOUND")
		})
	}
	for route, allow := range map[string]string{
		"PUT /api/v1/leads": "GET, HEAD, POST", "DELETE /api/v1/webhooks": "GET, HEAD, POST",
		"POST /api/v1/leads/lead_x": "GET, HEAD, PATCH, DELETE", "OPTIONS /docs": "GET, HEAD",
	} {
		t.Run(route, func(t *testing.T) {
			method, path, _ := strings.Cut(route, " ")
			got := b.send(t, "", method, path, "")
			got.wantError(t, route, 405, "METHOD_NOT_ALLOWED")
			if got.header.Get("Allow") != allow {
				t.Errorf("%s: Allow = %q, want %q", route, got.header.Get("Allow"), allow)
			}
		})
	}
}

func TestPublicPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for path, want := range map[string]string{
		"/":        `{"success":true,"data":{"name":"leadgate","docs":"/docs","api":"/api/v1"}}`,
		"/healthz": `{"success":true,"data":{"status":"ok"}}`,
		"/readyz":  `{"success":true,"data":{"status":"ready"}}`,
	} {
		t.Run(path, func(t *testing.T) {
			if got := b.send(t, "", "GET", path, ""); got.status != 200 || got.text != want+"\n" {
				t.Errorf("GET %s = %d %s, want 200 %s", path, got.status, got.text, want)
			}
			if got := b.send(t, "", "HEAD", path, ""); got.status != 200 || got.text != "" {
				t.Errorf("HEAD %s = %d %q, want 200 and no body", path, got.status, got.text)
			}
		})
	}
	b.unready.Store(true)
	got := b.send(t, "", "GET", "/readyz", "")
	got.wantError(t, "/readyz", 503, "UNAVAILABLE")
	if strings.Contains(got.text, "redis") {
		t.Errorf("/readyz = %s, want no word of the cause", got.text)
	}
	if got := b.send(t, "", "GET", "/healthz", ""); got.status != 200 {
		t.Errorf("/healthz = %d when a store is away, want 200", got.status)
	}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.send(t, "", "GET", "/docs", "")
	if got.status != 200 || got.header.Get("Content-Type") != "text/html; charset=utf-8" ||
		!strings.Contains(got.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("/docs = %d, headers %v", got.status, got.header)
	}
	others := strings.NewReplacer(`<script src="/docs/guide.js" defer></script>`, "",
		`<link rel="alternate" type="text/markdown" href="/docs.md">`, "").Replace(got.text)
	if loads := regexp.MustCompile(`(?i)<(script|link|img|iframe)\b|@import|(?-i:url\()`).FindString(others); loads != "" {
		t.Errorf("/docs has %q, want a page that loads nothing but its own script", loads)
	}
	if !strings.Contains(got.text, "-X POST "+b.url+"/api/v1/chatbots/") {
		t.Errorf("/docs does not show a curl line with this server's address")
	}
	for code := range strings.FieldsSeq(
		"VALIDATION_ERROR DUPLICATE_EMAIL EMAIL_SUPPRESSED PRECONDITION_FAILED IDEMPOTENCY_MISMATCH IDEMPOTENCY_IN_PROGRESS UNAUTHORIZED FORBIDDEN CHATBOT_NOT_FOUND NOT_FOUND METHOD_NOT_ALLOWED REQUEST_TIMEOUT CONFLICT PAYLOAD_TOO_LARGE UNSUPPORTED_MEDIA_TYPE RATE_LIMITED INTERNAL UNAVAILABLE") {
		if !strings.Contains(got.text, "<code>"+code+"</code>") {
			t.Errorf("/docs does not explain %s", code)
		}
	}
	for field := range strings.FieldsSeq(
		"onDuplicate mapping allowedOrigins _next email.companyDomain phone.e164 attribution.clickIds leadId nextAttemptAt responseHead errorsOmitted captchaMinScore LEADGATE_TRUSTED_PROXIES") {
		if !strings.Contains(got.text, "<code>"+field+"</code>") {
			t.Errorf("/docs does not explain %s", field)
		}
	}
	// The address goes into commands that people paste, so an odd one is not repeated.
	req, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/docs", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "example.com;evil"
	if got := b.do(t, req); got.status != 200 || strings.Contains(got.text, "evil") || !strings.Contains(got.text,
		"curl -X POST https://your-domain.com/") {
		t.Errorf("/docs for an odd host = %d, want 200 and the placeholder", got.status)
	}
}
