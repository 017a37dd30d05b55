package sender_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
	"leadgate/worker/internal/sender"
)

// TestStandardWebhooks is the score sheet of the Standard Webhooks specification 1.0.0: what it asks of a sender, one
// rule a line.
//
// What it asks of the system around a sender is tested there: an endpoint that says 410 gets nothing more (process,
// TestGoneDisablesTheEndpoint); one that fails for days is told of and disabled (process,
// TestLongFailureIsToldAndEnds); subscribers choose types and manage endpoints (api); every endpoint of a workspace
// gets its events, and deliveries verify before, during and after a rotation over HTTP (e2e).
func TestStandardWebhooks(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		rule string
		test func(*testing.T)
	}{
		{"the payload is the JSON body of a POST", jsonInAPost},
		{"the payload has type, timestamp and data", typeTimestampData},
		{"type is a full-stop delimited list of [a-zA-Z0-9_]", hierarchicalType},
		{"timestamp is when the event occurred, in ISO 8601, at every attempt the same", timeOfTheEvent},
		{"data is thin or full", thinOrFull},
		{"headers are webhook-id, webhook-timestamp and webhook-signature", exactNames},
		{"webhook-id is of the event: the same at every attempt, another for another event", idOfTheEvent},
		{"webhook-id and webhook-timestamp have no full stop", noFullStop},
		{"webhook-timestamp is when the attempt is made, in whole seconds", timeOfTheAttempt},
		{"what is signed is id, timestamp and payload, joined by full stops", signedContent},
		{"the payload is sent as it was signed, byte for byte", sentAsSigned},
		{"v1 is HMAC-SHA256 in base64", symmetric},
		{"v1a is ed25519 in base64, verified with the public key alone", asymmetric},
		{"webhook-signature is a space-delimited list", spaceDelimited},
		{"old and new secrets sign while they are rotated, and then only the new one", rotation},
		{"a symmetric secret is whsec_ and 24 to 64 bytes in base64", symmetricSecret},
		{"an asymmetric key is whsk_ and its public half whpk_, in base64", asymmetricKey},
		{"every endpoint signs with a secret of its own", ownSecret},
		{"200 to 299 is success and nothing else is", onlySuccess},
		{"3xx is failure and is not followed", notFollowed},
		{"410 is told from other failures", gone},
		{"429, 502, 503, 504 and time-outs slow the sender down", throttled},
		{"Retry-After is taken into account", retryAfterCounts},
		{"an attempt may take 15 to 30 seconds", timeoutRange},
		{"retries are spread over days, further and further apart", overDays},
		{"retries have jitter", jitter},
		{"only https, with a certificate that is verified", onlyHTTPS},
		{"no webhook reaches an internal network", noInternalNetwork},
	} {
		t.Run(r.rule, func(t *testing.T) {
			t.Parallel()
			r.test(t)
		})
	}
}

// delivered is a request as it arrived.
type delivered struct {
	*http.Request
	body []byte
}

func (d *delivered) stamp(t *testing.T) time.Time {
	t.Helper()
	seconds, err := strconv.ParseInt(d.Header.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		t.Fatalf("webhook-timestamp = %q: %v", d.Header.Get("webhook-timestamp"), err)
	}
	return time.Unix(seconds, 0)
}

// verifies reports whether the Standard Webhooks library takes it.
func (d *delivered) verifies(t *testing.T, secret string) bool {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return wh.Verify(d.body, d.Header) == nil
}

// sheet sends to one receiver that keeps what arrives.
type sheet struct {
	*sender.Sender
	e       *webhook.Endpoint
	now     time.Time
	arrived chan delivered
}

func newSheet(t *testing.T) *sheet {
	t.Helper()
	s := &sheet{now: time.Now(), arrived: make(chan delivered, 10)}
	srv := mustServe(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.arrived <- delivered{r, body}
	})
	s.e = endpoint(srv.URL)
	s.Sender = sender.New(sender.Deps{Allow: loopback(), Parallel: 1, Now: func() time.Time { return s.now }})
	t.Cleanup(s.Close)
	return s
}

func (s *sheet) send(t *testing.T, j *webhook.DueDelivery) delivered {
	t.Helper()
	if a, made := s.Send(t.Context(), s.e, j); !made || a.Status != 200 || a.Error != "" {
		t.Fatalf("Send = %d %q, %v, want 200", a.Status, a.Error, made)
	}
	return <-s.arrived
}

func jsonInAPost(t *testing.T) {
	got := newSheet(t).send(t, job())
	if got.Method != http.MethodPost || got.Header.Get("Content-Type") != "application/json" || !json.Valid(got.body) {
		t.Errorf("request = %s of %s: %s, want a POST of JSON", got.Method, got.Header.Get("Content-Type"), got.body)
	}
}

func typeTimestampData(t *testing.T) {
	s, j := newSheet(t), job()
	var p map[string]json.RawMessage
	if err := json.Unmarshal(s.send(t, j).body, &p); err != nil {
		t.Fatal(err)
	}
	if string(p["type"]) != `"lead.created"` || len(p["timestamp"]) == 0 || string(p["data"]) != string(j.Data) ||
		len(p) != 3 {
		t.Errorf("payload = %s, want type, timestamp and data", p)
	}
}

func hierarchicalType(t *testing.T) {
	form := regexp.MustCompile(`^[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)+$`)
	for _, name := range append(webhook.EventTypes(), webhook.WebhookTest) {
		if !form.MatchString(name) {
			t.Errorf("event type = %q, want it to match %s", name, form)
		}
	}
}

func timeOfTheEvent(t *testing.T) {
	s, j := newSheet(t), job()
	j.EventAt = time.Date(2026, 1, 2, 13, 4, 5, 678_000_000, time.FixedZone("", 3600))
	first := s.send(t, j)
	j.Attempts, s.now = 1, s.now.Add(time.Minute)
	second := s.send(t, j)
	if want := `"timestamp":"2026-01-02T12:04:05.678Z"`; !strings.Contains(string(first.body), want) ||
		!bytes.Equal(first.body, second.body) {
		t.Errorf("payloads = %s and %s, want both with %s", first.body, second.body, want)
	}
}

func thinOrFull(t *testing.T) {
	s, j := newSheet(t), job()
	j.LeadID = id.New()
	data := func(payload string) string {
		s.e.Payload = payload
		var p struct{ Data json.RawMessage }
		if err := json.Unmarshal(s.send(t, j).body, &p); err != nil {
			t.Fatal(err)
		}
		return string(p.Data)
	}
	for payload, want := range map[string]string{webhook.PayloadFull: string(j.Data), webhook.PayloadThin: `{"id":"` +
		id.Lead.Format(j.LeadID) + `"}`} {
		if got := data(payload); got != want {
			t.Errorf("%s data = %s, want %s", payload, got, want)
		}
	}
	j.LeadID = id.UUID{}
	if got := data(webhook.PayloadThin); got != string(j.Data) {
		t.Errorf("thin data of no lead = %s, want %s", got, j.Data)
	}
}

func exactNames(t *testing.T) {
	heads := make(chan string, 1)
	url := mustListen(t, func(c net.Conn) {
		head, _ := readRequest(bufio.NewReader(c))
		heads <- head
		io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	mustSender(t, sender.Deps{Allow: loopback()}).Send(t.Context(), endpoint(url), job())
	head := <-heads
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		if strings.Count(head, "\r\n"+name+": ") != 1 || strings.Count(strings.ToLower(head), name) != 1 {
			t.Errorf("request has %s not once as it is spelled:\n%s", name, head)
		}
	}
}

func idOfTheEvent(t *testing.T) {
	s, j := newSheet(t), job()
	first := s.send(t, j).Header.Get("webhook-id")
	j.Attempts, s.now = 5, s.now.Add(10*time.Hour)
	again := s.send(t, j).Header.Get("webhook-id")
	other := s.send(t, job()).Header.Get("webhook-id")
	if first == "" || again != first || other == first {
		t.Errorf("webhook-id of an event, its retry and another event = %q, %q, %q, want the first two alike", first, again,
			other)
	}
}

func noFullStop(t *testing.T) {
	s := newSheet(t)
	s.now = s.now.Truncate(time.Second).Add(123456789)
	for range 20 {
		h := s.send(t, job()).Header
		if of := h.Get("webhook-id") + h.Get("webhook-timestamp"); strings.Contains(of, ".") {
			t.Fatalf("webhook-id and -timestamp = %q, want no full stop", of)
		}
	}
}

func timeOfTheAttempt(t *testing.T) {
	s, j := newSheet(t), job()
	j.EventAt = s.now.Add(-48 * time.Hour)
	for range 2 {
		got := s.send(t, j)
		if at := got.stamp(t); at.Unix() != s.now.Unix() {
			t.Errorf("webhook-timestamp = %v, want %v", at, s.now)
		}
		// the signature holds the time, so a receiver can refuse what is old
		if fresh := time.Since(s.now).Abs() < time.Minute; got.verifies(t, s.e.Secret) != fresh {
			t.Errorf("an attempt of %v verifies: %v, want %v", s.now, !fresh, fresh)
		}
		s.now = s.now.Add(-time.Hour)
	}
}

func signedContent(t *testing.T) {
	s := newSheet(t)
	got := s.send(t, job())
	h := got.Header
	for _, c := range []struct {
		content string
		want    bool
	}{
		{h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "." + string(got.body), true},
		{h.Get("webhook-timestamp") + "." + h.Get("webhook-id") + "." + string(got.body), false},
		{string(got.body), false},
	} {
		if (h.Get("webhook-signature") == "v1,"+hmacOf(t, s.e.Secret, c.content)) != c.want {
			t.Errorf("the signature is of %.60q: %v, want %v", c.content, !c.want, c.want)
		}
	}
}

// hmacOf is written from the specification, without our own code.
func hmacOf(t *testing.T, secret, content string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, content)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func sentAsSigned(t *testing.T) {
	s, j := newSheet(t), job()
	j.Data = []byte("{ \"name\" : \"Zoë \\u00e9 \\/ 100% <b>\",\t\"big\": 12345678901234567890.10, \"a\":1, \"a\":2 }")
	got := s.send(t, j)
	if !got.verifies(t, s.e.Secret) || !bytes.Contains(got.body, j.Data) || got.ContentLength != int64(len(got.body)) {
		t.Errorf("payload = %s, want it verified, with the data as it is kept", got.body)
	}
	for i := range got.body {
		changed := bytes.Clone(got.body)
		changed[i] ^= 1
		if (&delivered{got.Request, changed}).verifies(t, s.e.Secret) {
			t.Fatalf("verifies with byte %d changed", i)
		}
	}
}

func symmetric(t *testing.T) {
	s := newSheet(t)
	got := s.send(t, job())
	version, text, _ := strings.Cut(got.Header.Get("webhook-signature"), ",")
	if raw, err := base64.StdEncoding.DecodeString(text); version != "v1" || err != nil || len(raw) != sha256.Size ||
		!got.verifies(t, s.e.Secret) {
		t.Errorf("webhook-signature = %s,%s, want v1 and 32 bytes that verify", version, text)
	}
}

func asymmetric(t *testing.T) {
	s := newSheet(t)
	s.e.Secret = webhook.NewSigningKey()
	got := s.send(t, job())
	version, text, _ := strings.Cut(got.Header.Get("webhook-signature"), ",")
	signature, err := base64.StdEncoding.DecodeString(text)
	if version != "v1a" || err != nil || len(signature) != ed25519.SignatureSize {
		t.Fatalf("webhook-signature = %s,%s, want v1a and 64 bytes", version, text)
	}
	content := []byte(got.Header.Get("webhook-id") + "." + got.Header.Get("webhook-timestamp") + "." + string(got.body))
	for public, want := range map[string]bool{webhook.PublicKey(s.e.Secret): true,
		webhook.PublicKey(webhook.NewSigningKey()): false} {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
		if err != nil || ed25519.Verify(key, content, signature) != want {
			t.Errorf("verifies with %s: %v (%v), want %v", public, !want, err, want)
		}
	}
}

func spaceDelimited(t *testing.T) {
	s := newSheet(t)
	for range 3 {
		s.e.Former = append(s.e.Former, webhook.FormerSecret{Secret: webhook.NewSecret(), Until: s.now.Add(time.Hour)},
			webhook.FormerSecret{Secret: webhook.NewSigningKey(), Until: s.now.Add(time.Hour)})
	}
	form := regexp.MustCompile(`^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}= v1a,[A-Za-z0-9+/]{86}==){3}$`)
	if got := s.send(t, job()).Header["Webhook-Signature"]; len(got) != 1 || !form.MatchString(got[0]) {
		t.Errorf("webhook-signature = %q, want it to match %s", got, form)
	}
}

func rotation(t *testing.T) {
	s := newSheet(t)
	old, fresh := s.e.Secret, webhook.NewSecret()
	want := func(when string, byOld, byFresh bool) {
		t.Helper()
		got := s.send(t, job())
		if a, b := got.verifies(t, old), got.verifies(t, fresh); a != byOld || b != byFresh {
			t.Errorf("%s: verifies with the old secret %v and the new one %v, want %v and %v", when, a, b, byOld, byFresh)
		}
	}
	want("before", true, false)
	s.e.Secret, s.e.Former = fresh, []webhook.FormerSecret{{Secret: old, Until: s.now.Add(time.Minute)}}
	want("during", true, true)
	s.now = s.now.Add(time.Minute)
	want("after", false, true)
}

func symmetricSecret(t *testing.T) {
	text, ok := strings.CutPrefix(webhook.NewSecret(), "whsec_")
	if raw, err := base64.StdEncoding.DecodeString(text); !ok || err != nil || len(raw) < 24 || len(raw) > 64 {
		t.Errorf("NewSecret() = %d bytes, %v, want whsec_ and 24 to 64", len(raw), err)
	}
	for size := range 100 {
		secret := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, size))
		if ok := webhook.CheckSecret(secret) == ""; ok != (size >= 24 && size <= 64) {
			t.Errorf("a secret of %d bytes is taken: %v", size, ok)
		}
	}
}

func asymmetricKey(t *testing.T) {
	secret := webhook.NewSigningKey()
	private, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsk_"))
	if err != nil || len(private) != ed25519.PrivateKeySize {
		t.Fatalf("NewSigningKey() = %d bytes, %v, want whsk_ and 64", len(private), err)
	}
	pair := ed25519.NewKeyFromSeed(private[:ed25519.SeedSize])
	if want := "whpk_" + base64.StdEncoding.EncodeToString(pair.Public().(ed25519.PublicKey)); !pair.Equal(
		ed25519.PrivateKey(private)) || webhook.PublicKey(secret) != want {
		t.Errorf("PublicKey() = %s, want %s", webhook.PublicKey(secret), want)
	}
}

func ownSecret(t *testing.T) {
	s := newSheet(t)
	first, j := s.e.Secret, job()
	mine := s.send(t, j)
	s.e.Secret = endpoint("").Secret
	other := s.send(t, j)
	if !mine.verifies(t, first) || other.verifies(t, first) || !other.verifies(t, s.e.Secret) {
		t.Error("one endpoint's secret verifies what another gets")
	}
}
