package api_test

import (
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/secret"
	"leadgate/shared/tenant"
)

// useSecretKey makes the API one of a process with a new key of this id.
func (b *bundle) useSecretKey(t *testing.T, id string) {
	t.Helper()
	raw := make([]byte, 32)
	rand.Read(raw)
	ring, err := secret.Parse(id + ":" + base64.StdEncoding.EncodeToString(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.db.Start(t.Context(), slog.New(slog.DiscardHandler), pg.StartOptions{AllowUnsafe: true,
		Secrets: ring}); err != nil {
		t.Fatal(err)
	}
}

// While a gateway lacks the key of an endpoint's secrets, or of a form's, whoever needs these is asked to come again;
// nothing is written over, and what needs none goes on.
func TestSecretsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.useSecretKey(t, "lost")
	hook := "/api/v1/webhooks/" + mustID(t, b.send(t, b.secret, "POST", "/api/v1/webhooks", `{"url":"https://hooks.example.com/"}`))
	form := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}, Captcha: tenant.Turnstile, CaptchaSecret: "hunter2"})
	plain := b.mustForm(t, b.owner, tenant.Form{Origins: []string{site}})
	b.useSecretKey(t, "other")
	for _, c := range [][3]string{
		{"GET", hook, ""}, {"GET", "/api/v1/webhooks", ""}, {"PATCH", hook, `{"description":"x"}`},
		{"POST", hook + "/rotate-secret", ""}, {"POST", hook + "/test", ""},
	} {
		got := b.send(t, b.secret, c[0], c[1], c[2])
		got.wantError(t, c[0]+" "+c[1], 503, "UNAVAILABLE")
		if got.header.Get("Retry-After") == "" || strings.Contains(got.text, "lost") {
			t.Errorf("%s %s = %s, want when to come again, and nothing of the key", c[0], c[1], got.text)
		}
	}
	if got := b.fetch(t, form, `{"email":"a@example.com"}`); got.status != 503 {
		t.Errorf("a form whose captcha cannot be asked = %d %s, want 503", got.status, got.text)
	}
	if got := b.fetch(t, plain, `{"email":"b@example.com"}`); got.status != 200 {
		t.Errorf("a form without a captcha = %d %s, want 200", got.status, got.text)
	}
	var keys []struct {
		ID   string
		Form *struct{ HasCaptchaSecret bool }
	}
	b.send(t, b.secret, "GET", "/api/v1/keys", "").data(t, &keys)
	path := ""
	for _, k := range keys {
		if k.Form != nil && k.Form.HasCaptchaSecret {
			path = "/api/v1/keys/" + k.ID
		}
	}
	b.send(t, b.secret, "PATCH", path, `{"name":"x"}`).wantError(t, "a change that keeps the secret", 503, "UNAVAILABLE")
	b.send(t, b.secret, "PATCH", path, `{"form":{"captchaSecret":"hunter3"}}`).wantOK(t, "a secret given anew")
	b.forward(time.Second)
	if got := b.fetch(t, form, `{"email":"c@example.com"}`); got.status != 400 { // the captcha is asked for again
		t.Errorf("a form whose secret was given anew = %d %s, want 400 without a token", got.status, got.text)
	}
	b.mustCreate(t, b.owner, "d@example.com")
	b.mustSend(t, "DELETE", hook, "", 204)
	b.mustSend(t, "GET", "/api/v1/webhooks", "", 200)
}
