package auth_test

import (
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

func TestFormKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text := tenant.NewText(tenant.PublishableKey, false)
	hash, _ := tenant.HashSecret(text)
	ends := b.clock.Now().Add(time.Hour)
	k := tenant.Key{WorkspaceID: b.ws, ID: id.New(), Name: "form", Kind: tenant.PublishableKey, Public: text,
		Form: &tenant.Form{Source: "landing"}, CreatedAt: b.clock.Now(), ExpiresAt: &ends}
	if err := b.direct.CreateKey(t.Context(), k, hash); err != nil {
		t.Fatal(err)
	}
	p, err := b.FormKey(t.Context(), text)
	if err != nil || p.WorkspaceID != b.ws || p.KeyID != k.ID || p.Form == nil || p.Form.Source != "landing" {
		t.Fatalf("FormKey() = %+v, %v, want the form", p, err)
	}
	for what, text := range map[string]string{
		"a secret key": b.secret, "an unknown key": tenant.NewText(tenant.PublishableKey, false),
		"a mistyped key": text[:len(text)-1] + "_", "nothing": "", "a test key": tenant.NewText(tenant.PublishableKey, true),
	} {
		t.Run(what, func(t *testing.T) {
			if p, err := b.FormKey(t.Context(), text); !fault.Is(err, fault.NotFound) {
				t.Errorf("FormKey(%s) = %+v, %v, want NOT_FOUND", what, p, err)
			}
		})
	}
	b.clock.Forward(time.Hour)
	if _, err := b.FormKey(t.Context(), text); !fault.Is(err, fault.NotFound) {
		t.Errorf("FormKey() after the key's end = %v, want NOT_FOUND", err)
	}
}
