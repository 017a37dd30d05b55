package webhook_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/webhook"
)

func TestSetEnabled(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	then := now.Add(-time.Hour)
	failing := webhook.Health{Failures: 7, FailingSince: &then, ProbeAt: &now, Probes: 2, LastError: "status: 503",
		LastSuccessAt: &then, Notified: true}
	e := webhook.Endpoint{Enabled: true, Health: failing}

	e.SetEnabled(true, now)
	if diff := cmp.Diff(webhook.Endpoint{Enabled: true, Health: failing}, e); diff != "" {
		t.Errorf("enabling an enabled one changes it (-want +got):\n%s", diff)
	}
	e.SetEnabled(false, now)
	if e.Enabled || e.Disabled == nil || *e.Disabled != (webhook.Disabled{At: now, Reason: webhook.DisabledByOwner}) ||
		e.Health.Failures != 7 || e.Health.Open() {
		t.Errorf("disabled = %+v, want it disabled by its owner, with its record but no probe", e)
	}
	e.Disabled.Reason = webhook.DisabledFailing
	e.SetEnabled(false, now.Add(time.Hour))
	if !e.Disabled.At.Equal(now) || e.Disabled.Reason != webhook.DisabledFailing {
		t.Errorf("disabling a disabled one makes it %+v, want it as it was", e.Disabled)
	}
	e.SetEnabled(true, now)
	if diff := cmp.Diff(webhook.Endpoint{Enabled: true, Health: webhook.Health{LastSuccessAt: &then}}, e); diff != "" {
		t.Errorf("enabling (-want +got):\n%s", diff)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	e := webhook.Endpoint{Secret: "a"}
	rotate := func(secret string, overlap, after time.Duration) error {
		return e.Rotate(secret, overlap, now.Add(after))
	}
	want := func(what, secret string, former ...webhook.FormerSecret) {
		t.Helper()
		if e.Secret != secret || len(e.Former)+len(former) > 0 && !cmp.Equal(former, e.Former) {
			t.Errorf("%s: secret %q, former %v, want %q and %v", what, e.Secret, e.Former, secret, former)
		}
	}
	if err := rotate("b", time.Hour, 0); err != nil {
		t.Fatal(err)
	}
	a := webhook.FormerSecret{Secret: "a", Until: now.Add(time.Hour)}
	want("with overlap", "b", a)
	if err := rotate("c", 0, 0); err != nil {
		t.Fatal(err)
	}
	want("without overlap", "c", a)
	if err := rotate("a", 2*time.Hour, time.Minute); err != nil {
		t.Fatal(err)
	}
	c := webhook.FormerSecret{Secret: "c", Until: now.Add(2*time.Hour + time.Minute)}
	want("back to a former one", "a", c)
	for _, secret := range []string{"d", "e", "f"} {
		if err := rotate(secret, time.Hour, 2*time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	before := e
	if err := rotate("g", time.Hour, 3*time.Minute); !fault.Is(err, fault.Conflict) || !cmp.Equal(before, e) {
		t.Errorf("a fifth former secret = %v, want CONFLICT and nothing changed: %+v", err, e)
	}
	if err := rotate("g", 0, 3*time.Minute); err != nil || len(e.Former) != 4 {
		t.Errorf("without overlap = %v, %d former, want 4", err, len(e.Former))
	}
	// All but c have lapsed at the end of their hour.
	if err := rotate("h", time.Hour, time.Hour+2*time.Minute); err != nil {
		t.Fatal(err)
	}
	want("after some lapsed", "h", c, webhook.FormerSecret{Secret: "g", Until: now.Add(2*time.Hour + 2*time.Minute)})
}

func TestSignatureOf(t *testing.T) {
	t.Parallel()
	for _, signature := range webhook.SignatureSchemes() {
		secret := webhook.NewSecretFor(signature)
		if got := webhook.SignatureScheme(secret); got != signature || webhook.CheckSecret(secret) != "" {
			t.Errorf("SignatureScheme(NewSecretFor(%q)) = %q, want the same of a good secret", signature, got)
		}
	}
}
