// Package id makes and reads public identifiers: a UUIDv7 shown as prefix + lower-case Crockford base32 (TypeID), so
// that ids sort by time.
package id

import (
	"crypto/sha256"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// UUID is what tables hold; clients only ever see String of one of the prefixes.
type UUID = uuid.UUID

// Prefix says what an identifier names.
type Prefix string

// The prefixes.
const (
	Workspace Prefix = "ws_"
	Chatbot   Prefix = "cb_"
	Lead      Prefix = "lead_"
	Key       Prefix = "key_"
	Endpoint  Prefix = "we_"
	Event     Prefix = "evt_"
	Delivery  Prefix = "dlv_"
	Attempt   Prefix = "att_"
	Batch     Prefix = "bat_"
	Replay    Prefix = "rp_"
	Import    Prefix = "imp_"
	Audit     Prefix = "aud_"
	Request   Prefix = "req_"

	Submission Prefix = "sub_"

	ConsoleSession Prefix = "ses_"
)

// nouns are what people call the things that clients name by their ids.
var nouns = map[Prefix]string{
	Workspace: "workspace", Chatbot: "chatbot", Lead: "lead", Key: "API key", Endpoint: "webhook endpoint", Event: "event",
	Delivery: "delivery", Replay: "replay", Import: "import", Audit: "receipt", Submission: "submission",
	ConsoleSession: "console session",
}

// Noun is what people call a thing that p names: "webhook endpoint".
func (p Prefix) Noun() string { return nouns[p] }

// Rule is what an id of prefix p must be, as every route words it.
func (p Prefix) Rule() string {
	article := "a "
	if noun := nouns[p]; strings.ContainsRune("aeiouA", rune(noun[0])) {
		article = "an "
	}
	return "Must be the id of " + article + nouns[p] + ": " + string(p) + " followed by 26 letters and digits"
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// digits is the inverse of alphabet; 0xFF marks a character that is no digit.
var digits = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xFF
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	return t
}()

// ErrMalformed is returned by Parse for any text that Format did not make.
var ErrMalformed = errors.New("malformed id")

// New returns a new UUIDv7.
func New() UUID { return uuid.Must(uuid.NewV7()) }

// Format shows u under prefix p: 26 base32 digits after the prefix.
func (p Prefix) Format(u UUID) string {
	return string(p.Append(make([]byte, 0, len(p)+26), u))
}

// Append is Format into dst.
func (p Prefix) Append(dst []byte, u UUID) []byte {
	dst = append(dst, p...)
	// 128 bits in 26 digits of 5: the first digit holds the 3 highest bits.
	var acc uint32
	bits := 2 // two zero bits ahead make 130
	for _, b := range u {
		acc = acc<<8 | uint32(b)
		bits += 8
		for bits >= 5 {
			bits -= 5
			dst = append(dst, alphabet[acc>>bits&31])
		}
	}
	return dst
}

// Parse reads what Format made and nothing else: exact prefix, lower case, 26 digits, no overflow.
func (p Prefix) Parse(s string) (u UUID, err error) {
	if len(s) != len(p)+26 || s[:len(p)] != string(p) {
		return u, ErrMalformed
	}
	s = s[len(p):]
	if s[0] > '7' {
		return u, ErrMalformed
	}
	var acc uint32
	bits, out := -2, 0
	for i := range len(s) {
		d := digits[s[i]]
		if d == 0xFF {
			return UUID{}, ErrMalformed
		}
		acc = acc<<5 | uint32(d)
		bits += 5
		if bits >= 8 {
			bits -= 8
			u[out] = byte(acc >> bits)
			out++
		}
	}
	return u, nil
}

// Time is when a UUIDv7 was made, to the millisecond.
func Time(u UUID) time.Time {
	var ms int64
	for _, b := range u[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC()
}

// Derive returns the UUIDv7 number n of base: of the same moment, and the same whenever it is asked for.
func Derive(base UUID, n int) UUID {
	sum := sha256.Sum256(append(base[:], strconv.Itoa(n)...))
	u := base
	copy(u[8:], sum[:8])
	u[8] = u[8]&0x3F | 0x80
	u[6], u[7] = 0x70|sum[8]&0x0F, sum[9]
	return u
}
