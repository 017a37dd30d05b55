package webhook_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/webhook"
)

func TestSignIsVerifiedByStandardWebhooks(t *testing.T) {
	t.Parallel()
	secret, at := webhook.NewSecret(), time.Now()
	receiver, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatalf("the library does not take NewSecret(): %v", err)
	}
	body := []byte(`{"type":"lead.created","data":{"name":"Zoë 100% %s"}}`)
	signed, err := webhook.SignAll(&webhook.Endpoint{Secret: secret}, "evt_1", at, body)
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

func TestSignAllOfAKnownMessage(t *testing.T) {
	t.Parallel()
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(i)
	}
	pair := ed25519.NewKeyFromSeed(raw)
	at, body := time.Unix(1674087231, 999_999_999), []byte(`{"type":"lead.created"}`)
	content := []byte(`evt_1.1674087231.{"type":"lead.created"}`)
	mac := hmac.New(sha256.New, raw)
	mac.Write(content)
	e := webhook.Endpoint{
		Secret: "whsec_" + base64.StdEncoding.EncodeToString(raw),
		Former: []webhook.FormerSecret{{Secret: "whsk_" + base64.StdEncoding.EncodeToString(pair),
			Until: at.Add(time.Nanosecond)}},
	}
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + " v1a," +
		base64.StdEncoding.EncodeToString(ed25519.Sign(pair, content))
	if got, err := webhook.SignAll(&e, "evt_1", at, body); got != want || err != nil {
		t.Errorf("SignAll() = %q, %v, want %q", got, err, want)
	}
}

// Whoever holds a secret that is still live can verify, and nobody else.
func TestSignAllWhileRotating(t *testing.T) {
	t.Parallel()
	at := time.Now()
	current, former, ended, other := webhook.NewSecret(), webhook.NewSecret(), webhook.NewSecret(), webhook.NewSecret()
	e := webhook.Endpoint{Secret: current, Former: []webhook.FormerSecret{
		{Secret: ended, Until: at}, // not after: it has ended
		{Secret: former, Until: at.Add(time.Second)},
		{Secret: current, Until: at.Add(time.Hour)}, // came back
		{Secret: "whsec_spoilt", Until: at.Add(time.Hour)},
		{Secret: webhook.NewSigningKey(), Until: at.Add(time.Hour)},
	}}
	body := []byte(`{}`)
	signed, err := webhook.SignAll(&e, "evt_1", at, body)
	if err != nil {
		t.Fatalf("SignAll() = %v, want no error", err)
	}
	versions := ""
	for one := range strings.SplitSeq(signed, " ") {
		version, _, _ := strings.Cut(one, ",")
		versions += version + " "
	}
	if versions != "v1 v1 v1a " {
		t.Errorf("SignAll() = %q, want signatures v1 v1 v1a", signed)
	}
	header := http.Header{"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)},
		"Webhook-Signature": {signed}}
	for secret, want := range map[string]bool{current: true, former: true, ended: false, other: false} {
		receiver, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := receiver.Verify(body, header); (err == nil) != want {
			t.Errorf("Verify() = %v, want it to succeed: %v", err, want)
		}
	}
	e.Secret = "whsec_spoilt"
	if got, err := webhook.SignAll(&e, "evt_1", at, body); err == nil || got != "" || strings.Contains(err.Error(),
		"spoilt") {
		t.Errorf("SignAll() without a current secret = %q, %v, want an error that does not tell it", got, err)
	}
}

func TestNewSigningKey(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSigningKey()
	public, ok := strings.CutPrefix(webhook.PublicKey(secret), "whpk_")
	raw, err := base64.StdEncoding.DecodeString(public)
	if !ok || err != nil || len(raw) != ed25519.PublicKeySize || !strings.HasPrefix(secret, "whsk_") ||
		secret == webhook.NewSigningKey() {
		t.Fatalf("PublicKey(NewSigningKey()) = whpk_%s, %v, want 32 bytes of base64, new each time", public, err)
	}
	at, body := time.Now(), []byte(`{"data":1}`)
	signed, err := webhook.SignAll(&webhook.Endpoint{Secret: secret}, "evt_1", at, body)
	text, ok := strings.CutPrefix(signed, "v1a,")
	signature, _ := base64.StdEncoding.DecodeString(text)
	content := "evt_1." + strconv.FormatInt(at.Unix(), 10) + "." + string(body)
	if err != nil || !ok || !ed25519.Verify(raw, []byte(content), signature) || ed25519.Verify(raw, []byte(content+" "),
		signature) {
		t.Errorf("SignAll() = %q, %v, want it verified with the public key", signed, err)
	}
	for _, none := range []string{"", webhook.NewSecret(), "whsk_AAAA"} {
		t.Run(none, func(t *testing.T) {
			if got := webhook.PublicKey(none); got != "" {
				t.Errorf("PublicKey(%q) = %q, want none", none, got)
			}
		})
	}
}

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	b64 := func(prefix string, n int) string {
		return prefix + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xF7}, n))
	}
	for _, good := range []string{webhook.NewSecret(), webhook.NewSigningKey(), b64("whsec_", 24), b64("whsec_", 25),
		b64("whsec_", 64)} {
		t.Run(good[:min(len(good), 60)], func(t *testing.T) {
			if wrong := webhook.CheckSecret(good); wrong != "" {
				t.Errorf("CheckSecret(%q) = %q, want it right", good, wrong)
			}
			if header, err := webhook.SignAll(&webhook.Endpoint{Secret: good}, "evt_1", time.Now(), nil); err != nil ||
				header == "" {
				t.Errorf("SignAll() with %q = %q, %v, want a signature", good, header, err)
			}
		})
	}
	mine, other := webhook.NewSigningKey(), webhook.NewSigningKey()
	swapped, _ := base64.StdEncoding.DecodeString(mine[5:])
	foreign, _ := base64.StdEncoding.DecodeString(other[5:])
	const hmacSecret, key, any, half = "Must be whsec_ and 24", "Must be whsk_ and the 64",
		"Must be whsec_ and 24 to 64 random bytes in base64, or whsk_", "Must be a whsk_ key whose"
	for bad, want := range map[string]string{
		"":                                 any,
		"secret":                           any,
		webhook.NewSecret()[6:]:            any,
		"WHSEC_" + webhook.NewSecret()[6:]: any,
		" " + webhook.NewSecret():          any,
		webhook.PublicKey(mine):            any,
		b64("whsec_", 0):                   hmacSecret,
		b64("whsec_", 23):                  hmacSecret,
		b64("whsec_", 65):                  hmacSecret,
		b64("whsec_", 66):                  hmacSecret, // of as many digits as 64 bytes
		b64("whsec_", 5000):                hmacSecret,
		webhook.NewSecret() + "\n":         hmacSecret,
		webhook.NewSecret() + " ":          hmacSecret,
		strings.TrimRight(webhook.NewSecret(), "="):                                  hmacSecret,
		"whsec_" + base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xFF}, 32)): hmacSecret,
		"whsec_" + strings.Repeat("A", 42) + "B=":                                    hmacSecret, // bits that nothing reads
		b64("whsk_", 32):             key,
		b64("whsk_", 63):             key,
		strings.TrimRight(mine, "="): key,
		b64("whsk_", 64):             half,
		"whsk_" + base64.StdEncoding.EncodeToString(append(swapped[:32:32], foreign[32:]...)): half,
	} {
		t.Run(bad[:min(len(bad), 60)], func(t *testing.T) {
			got := webhook.CheckSecret(bad)
			if !strings.HasPrefix(got, want) {
				t.Errorf("CheckSecret(%q) = %q, want %q", bad, got, want)
			}
			if len(bad) > 12 && strings.Contains(got, bad[6:12]) {
				t.Errorf("CheckSecret() tells the secret: %s", got)
			}
		})
	}
}
