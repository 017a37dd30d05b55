package hook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const secretPrefix = "whsec_"

// NewSecret makes a signing secret: "whsec_" and 32 random bytes in base64 (Standard Webhooks asks for 24 to 64 bytes).
func NewSecret() string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails (crypto/rand)
	return secretPrefix + base64.StdEncoding.EncodeToString(raw)
}

// SecretBytes reads a secret made by NewSecret.
func SecretBytes(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) < 24 || len(raw) > 64 {
		return nil, fmt.Errorf("secret is not whsec_ and 24 to 64 bytes of base64")
	}
	return raw, nil
}

// Sign returns the webhook-signature header of body sent at time at under id msgID: "v1," and HMAC-SHA256 of "id.timestamp.body" (Standard Webhooks 1.0).
func Sign(key []byte, msgID string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(msgID + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
