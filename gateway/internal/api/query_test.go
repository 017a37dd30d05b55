package api_test

import (
	"strings"
	"testing"

	"leadgate/gateway/internal/api"
	"leadgate/shared/id"
)

// No parameter of any route takes bytes that are no text, and none makes a fault of ours of them.
func TestParametersThatAreNoTextAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/"}`))
	for _, r := range api.Routes() {
		path := strings.NewReplacer("{chatbotId}", id.Chatbot.Format(b.chatbot), "{id}", made).Replace(r[1])
		for _, name := range api.Params(r[0], r[1]) {
			name = strings.Replace(name, "<key>", "a", 1)
			t.Run(r[0]+" "+r[1]+"?"+name, func(t *testing.T) {
				for _, value := range []string{"%00", "a%00b", "%ff", "%c3%28", "%ed%a0%80"} {
					got := b.send(t, b.secret, r[0], path+"?"+name+"="+value, "{}")
					if got.wantError(t, value, 400, "VALIDATION_ERROR"); got.body.Details.Field != name {
						t.Errorf("%s = %s, want an error of %s", value, got.text, name)
					}
				}
			})
		}
	}
	for _, route := range []string{"leads", "leads/export"} {
		b.send(t, b.secret, "GET", "/api/v1/"+route+"?metadata.%00=a", "").wantError(t, "a key", 400, "VALIDATION_ERROR")
	}
}

func TestUnknownParametersAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/"}`))
	for _, r := range api.Routes() {
		if !strings.HasPrefix(r[1], "/api/v1/") {
			continue
		}
		path := strings.NewReplacer("{chatbotId}", id.Chatbot.Format(b.chatbot), "{id}", made).Replace(r[1])
		body := ""
		if r[0] == "POST" {
			body = `{"email":"a@example.com"}`
		}
		got := b.send(t, b.secret, r[0], path+"?page=2", body)
		got.wantError(t, r[0]+" "+path+"?page=2", 400, "VALIDATION_ERROR")
		want := "Unknown parameter: this route takes none"
		if known := api.Params(r[0], r[1]); known != nil {
			want = "Unknown parameter: must be one of " + strings.Join(known, ", ")
		}
		if d := got.body.Details; d.Field != "page" || d.Value != "2" || d.Message != want ||
			got.header.Get("RateLimit") == "" {
			t.Errorf("%s %s?page=2 = %s, want %q at page, and the rate limit", r[0], path, got.text, want)
		}
	}
	for query, field := range map[string]string{"limit=0": "limit", "cursor=zzz": "cursor", "a=%zz": "query"} {
		t.Run(query, func(t *testing.T) {
			got := b.send(t, b.secret, "GET", "/api/v1/webhooks?"+query, "")
			if got.status != 400 || got.body.Details.Field != field {
				t.Errorf("GET webhooks?%s = %d %s, want 400 at %s", query, got.status, got.text, field)
			}
		})
	}
	if got := b.send(t, b.secret, "GET", "/api/v1/webhooks/"+made+"/deliveries?limit=1&limit=2", ""); got.status != 400 ||
		got.body.Details.Message != "Must be given only once (status, state and verdict take several values, separated by commas)" {
		t.Errorf("a limit given twice = %d %s, want 400", got.status, got.text)
	}
	if got := b.send(t, "", "GET", "/docs?utm_source=mail", ""); got.status != 200 {
		t.Errorf("GET /docs?utm_source=mail = %d, want 200", got.status)
	}
}
