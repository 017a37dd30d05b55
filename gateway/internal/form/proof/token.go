package proof

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"

	"leadgate/shared/id"
)

// Limits of a token.
const (
	TokenTTL  = time.Hour
	clockSkew = 2 * time.Second // between the clocks of gateways
)

// Parts of a token: milliseconds since 1970, something random, and the signature of both and of the form.
const (
	timeBytes = 6
	saltBytes = 8
	macBytes  = 16
	textSize  = (timeBytes + saltBytes + macBytes) * 4 / 3
)

// State is what a token says.
type State string

// The states.
const (
	Unchecked State = ""        // there are no keys: nothing is known
	Absent    State = "absent"  // none was sent
	Invalid   State = "invalid" // it is no token of this form, or altered
	Expired   State = "expired" // its page was opened longer ago than TokenTTL
	Valid     State = "valid"
)

// Token makes a token that says when a page with the form was opened. "": there are no keys.
func (k *Keys) Token(form id.UUID, now time.Time) string {
	if k == nil {
		return ""
	}
	raw := binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))[8-timeBytes:]
	raw = append(raw, make([]byte, saltBytes)...)
	rand.Read(raw[timeBytes:]) // never fails
	raw = append(raw, sum(k.token, form[:], raw)[:macBytes]...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// CheckToken reads a token that came with the form. age is how long ago it was made, of one that is valid or expired.
func (k *Keys) CheckToken(text string, form id.UUID, now time.Time) (age time.Duration, state State) {
	switch {
	case k == nil:
		return 0, Unchecked
	case text == "":
		return 0, Absent
	case len(text) != textSize:
		return 0, Invalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return 0, Invalid
	}
	signed, mac := raw[:timeBytes+saltBytes], raw[timeBytes+saltBytes:]
	if !hmac.Equal(mac, sum(k.token, form[:], signed)[:macBytes]) {
		return 0, Invalid
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(append(make([]byte, 8-timeBytes), signed[:timeBytes]...))))
	switch age = now.Sub(made); {
	case age < -clockSkew:
		return 0, Invalid
	case age > TokenTTL:
		return age, Expired
	}
	return max(age, 0), Valid
}
