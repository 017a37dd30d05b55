package api_test

import (
	"strings"
	"testing"
	"time"

	"leadgate/shared/lead"
	"leadgate/shared/webhook"
)

func TestRotateSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.webhook(t, "POST", "", `{"url":"https://hooks.example.com/"}`, 201)
	path := "/" + first.ID
	asked := time.Now()
	second := b.webhook(t, "POST", path+"/rotate-secret", "", 200) // without a body: the defaults
	if second.Secret == first.Secret || webhook.CheckSecret(second.Secret) != "" || second.Signature != "v1" ||
		len(second.FormerSecrets) != 1 {
		t.Fatalf("rotated = %+v, want a new secret and one former", second)
	}
	until, err := time.Parse(lead.TimeFormat, second.FormerSecrets[0].ExpiresAt)
	if off := until.Sub(asked) - 24*time.Hour; err != nil || off < -time.Second || off > time.Minute {
		t.Errorf("the former one ends %s, %v, want in a day", second.FormerSecrets[0].ExpiresAt, err)
	}
	read := b.send(t, b.secret, "GET", "/api/v1/webhooks"+path, "")
	list := b.send(t, b.secret, "GET", "/api/v1/webhooks", "")
	for _, secret := range []string{first.Secret, second.Secret} {
		if strings.Contains(read.text+list.text, secret) || !strings.Contains(read.text,
			`"formerSecrets":[{"signature":"v1","publicKey":null,"expiresAt":"`) {
			t.Errorf("GET = %s, want when the former secret ends, and no secret", read.text)
		}
	}
	e, err := b.db.GetEndpoint(t.Context(), b.workspace, mustEndpointID(t, path))
	if err != nil || e.Secret != second.Secret || len(e.Former) != 1 || e.Former[0].Secret != first.Secret {
		t.Errorf("stored = %+v, %v, want both secrets to sign", e, err)
	}

	third := b.webhook(t, "POST", path+"/rotate-secret", `{"overlapSeconds":604800,"signature":"v1a"}`, 200)
	if third.Signature != "v1a" || third.PublicKey == nil || *third.PublicKey != webhook.PublicKey(third.Secret) ||
		len(third.FormerSecrets) != 2 {
		t.Errorf("rotated to ed25519 = %+v, want its public key and two former secrets", third)
	}
	own := webhook.NewSigningKey()
	fourth := b.webhook(t, "POST", path+"/rotate-secret", `{"overlapSeconds":60,"secret":"`+own+`"}`, 200)
	if fourth.Secret != own || len(fourth.FormerSecrets) != 3 || fourth.FormerSecrets[2].Signature != "v1a" ||
		fourth.FormerSecrets[2].PublicKey == nil || *fourth.FormerSecrets[2].PublicKey != *third.PublicKey {
		t.Errorf("rotated to an own key = %+v, want that key, and the public key of the one before", fourth)
	}
	at := b.webhook(t, "POST", path+"/rotate-secret", `{"overlapSeconds":0}`, 200) // signs as before, and that at once
	if at.Signature != "v1a" || len(at.FormerSecrets) != 3 {
		t.Errorf("rotated at once = %+v, want ed25519 still and no more former secrets", at)
	}
}

func TestRotateSecretIsLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := b.mustWebhook(t, "")
	for range webhook.MaxFormer {
		b.webhook(t, "POST", path+"/rotate-secret", `{"overlapSeconds":60}`, 200)
	}
	before := b.webhook(t, "GET", path, "", 200)
	b.send(t, b.secret, "POST", "/api/v1/webhooks"+path+"/rotate-secret", `{"overlapSeconds":60}`).wantError(t,
		"one former secret too many", 409, "CONFLICT")
	if after := b.webhook(t, "GET", path, "", 200); len(after.FormerSecrets) != webhook.MaxFormer ||
		after.UpdatedAt != before.UpdatedAt {
		t.Errorf("after the refusal: %+v, want all as it was", after)
	}
	b.forward(time.Minute)
	if got := b.webhook(t, "POST", path+"/rotate-secret", `{"overlapSeconds":60}`, 200); len(got.FormerSecrets) != 1 {
		t.Errorf("after all have lapsed: %+v, want one former secret", got.FormerSecrets)
	}
}

func TestRotateSecretInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own := webhook.NewSecret()
	path := b.mustWebhook(t, `,"secret":"`+own+`"`)
	for body, pointers := range map[string][]string{
		`[]`:                    {""},
		`{"overlapSeconds":-1}`: {"/overlapSeconds"},
		`{"overlapSeconds":604801,"secret":"whsec_x","signature":"v0"}`: {"/overlapSeconds", "/secret", "/signature"},
		`{"signature":"v1a","secret":"` + webhook.NewSecret() + `"}`:    {"/signature"},
		`{"secret":"` + own + `"}`:                                      {"/secret"},
		`{"enabled":true}`:                                              {"/enabled"},
	} {
		t.Run(body, func(t *testing.T) {
			b.wantRefused(t, "POST", path+"/rotate-secret", body, pointers)
		})
	}
	if got := b.send(t, b.secret, "POST", "/api/v1/webhooks"+path+"/rotate-secret", `{"secret":"`+own+
		`"}`); strings.Contains(got.text, own) {
		t.Errorf("the refusal = %s, want no secret in it", got.text)
	}
}
