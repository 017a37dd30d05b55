package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Secrets and keys as people see them, so that nobody takes one for another (Standard Webhooks 1.0).
const (
	secretPrefix     = "whsec_" // HMAC-SHA256, known to both sides
	signingKeyPrefix = "whsk_"  // ed25519, known to us
	publicKeyPrefix  = "whpk_"  // ed25519, for receivers
)

// Bytes of an HMAC secret.
const (
	minSecret = 24
	maxSecret = 64
)

// What would be right, and nothing of the secret.
const (
	wantSecret     = "Must be whsec_ and 24 to 64 random bytes in base64, or whsk_ and an ed25519 private key in base64"
	wantHMAC       = "Must be whsec_ and 24 to 64 random bytes in base64, padding included"
	wantSigningKey = "Must be whsk_ and the 64 bytes of an ed25519 private key, its seed and then its public key, in base64, padding included"
	wantPublicHalf = "Must be a whsk_ key whose last 32 bytes are the public key of its first 32"
)

// NewSecret makes a secret to sign by HMAC-SHA256: "whsec_" and 32 random bytes in base64.
func NewSecret() string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails (crypto/rand)
	return secretPrefix + base64.StdEncoding.EncodeToString(raw)
}

// NewSigningKey makes a secret to sign by ed25519: "whsk_" and the 64 bytes of a private key in base64.
func NewSigningKey() string {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails (crypto/rand)
	return signingKeyPrefix + base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(seed))
}

// PublicKey returns what receivers verify with when secret signs by ed25519: "whpk_" and 32 bytes in base64; "" for any
// other secret.
func PublicKey(secret string) string {
	raw, asymmetric, wrong := readSecret(secret)
	if wrong != "" || !asymmetric {
		return ""
	}
	return publicKeyPrefix + base64.StdEncoding.EncodeToString(raw[ed25519.SeedSize:])
}

// CheckSecret returns what is expected where secret cannot sign, else "". It never repeats any of it.
func CheckSecret(secret string) string {
	raw, asymmetric, wrong := readSecret(secret)
	if asymmetric && wrong == "" && !ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize]).Equal(ed25519.PrivateKey(raw)) {
		return wantPublicHalf // to sign with another public half would give the seed away
	}
	return wrong
}

func readSecret(secret string) (raw []byte, asymmetric bool, wrong string) {
	text, symmetric := strings.CutPrefix(secret, secretPrefix)
	if !symmetric {
		if text, asymmetric = strings.CutPrefix(secret, signingKeyPrefix); !asymmetric {
			return nil, false, wantSecret
		}
	}
	wrong, low := wantHMAC, minSecret
	if asymmetric {
		wrong, low = wantSigningKey, ed25519.PrivateKeySize
	}
	if len(text) > base64.StdEncoding.EncodedLen(maxSecret) || strings.ContainsAny(text, "\r\n") {
		return nil, asymmetric, wrong
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < low || len(raw) > maxSecret {
		return nil, asymmetric, wrong
	}
	return raw, asymmetric, ""
}

// SignAll returns the webhook-signature header of body sent to e at time at under the id msgID: a signature of
// "id.timestamp.body" for each live secret, the current one's first, so that receivers verify with whichever they hold
// while it is rotated (Standard Webhooks 1.0).
func SignAll(e *Endpoint, msgID string, at time.Time, body []byte) (header string, err error) {
	head := make([]byte, 0, len(msgID)+24)
	head = append(head, msgID...)
	head = append(head, '.')
	head = strconv.AppendInt(head, at.Unix(), 10)
	head = append(head, '.')
	signed, err := appendSignature(make([]byte, 0, 96*(1+len(e.Former))), e.Secret, head, body)
	if err != nil {
		return "", err
	}
	for _, f := range e.Former {
		if !f.Until.After(at) || f.Secret == e.Secret {
			continue
		}
		// an unreadable one stops no delivery
		if more, err := appendSignature(append(signed, ' '), f.Secret, head, body); err == nil {
			signed = more
		}
	}
	return string(signed), nil
}

// Header returns the headers of body sent to e at time at under the id msgID, its own ones among them. The error says
// that it must not be sent, because e has no valid secret.
func Header(e *Endpoint, msgID string, at time.Time, body []byte) (map[string][]string, error) {
	signatures, err := SignAll(e, msgID, at, body)
	if err != nil {
		return nil, err
	}
	h := map[string][]string{
		"Content-Type":      {"application/json"},
		"User-Agent":        {"leadgate/1"},
		"webhook-id":        {msgID}, // spelled as Standard Webhooks does
		"webhook-timestamp": {strconv.FormatInt(at.Unix(), 10)},
		"webhook-signature": {signatures},
	}
	for name, value := range e.Headers {
		if CheckHeaderName(name) == "" && CheckHeaderValue(value) == "" { // whoever wrote it into the row
			h[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
		}
	}
	return h, nil
}

// appendSignature appends the signature of head and body together.
func appendSignature(dst []byte, secret string, head, body []byte) ([]byte, error) {
	raw, asymmetric, wrong := readSecret(secret)
	if wrong != "" {
		return dst, errors.New("not a secret to sign with")
	}
	if asymmetric {
		return base64.StdEncoding.AppendEncode(append(dst, SignatureEd25519+","...), ed25519.Sign(raw, slices.Concat(head, body))), nil
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write(head)
	mac.Write(body)
	var sum [sha256.Size]byte
	return base64.StdEncoding.AppendEncode(append(dst, SignatureHMAC+","...), mac.Sum(sum[:0])), nil
}
