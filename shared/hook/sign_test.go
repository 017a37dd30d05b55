package hook_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/hook"
)

func TestSignIsVerifiedByStandardWebhooks(t *testing.T) {
	t.Parallel()
	secret, at := hook.NewSecret(), time.Now()
	receiver, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatalf("the library does not take NewSecret(): %v", err)
	}
	body := []byte(`{"type":"lead.created","data":{"name":"Zoë 100% %s"}}`)
	signed, err := hook.SignAll(&hook.Endpoint{Secret: secret}, "evt_1", at, body)
	if err != nil {
		t.Fatalf("SignAll = %v, want no error", err)
	}
	header := http.Header{}
	header.Set("webhook-id", "evt_1")
	header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	header.Set("webhook-signature", signed)
	if err := receiver.Verify(body, header); err != nil {
		t.Errorf("Verify() = %v, want no error", err)
	}
	if receiver.Verify(append(body, ' '), header) == nil {
		t.Error("Verify() of a changed body = nil, want an error")
	}
	header.Set("webhook-id", "evt_2")
	if receiver.Verify(body, header) == nil {
		t.Error("Verify() under another id = nil, want an error")
	}
}

func TestSecretBytesRefuses(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "whsec_", "whsec_AAAA", "whsec_%%%", "whsec_" + strings.Repeat("AAAA", 22), strings.TrimPrefix(hook.NewSecret(), "whsec_")} {
		if _, err := hook.SecretBytes(secret); err == nil {
			t.Errorf("SecretBytes(%q) succeeded, want an error", secret)
		} else if len(secret) > 10 && strings.Contains(err.Error(), secret) {
			t.Errorf("SecretBytes() tells the secret: %v", err)
		}
	}
}
