package idempotency

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/fault"
	"leadgate/shared/id"
)

// header is the field that has the key, as net/http spells it.
const header = "Idempotency-Key"

const (
	maxKey  = 255 // characters
	keyRule = "Must be given once and be 1 to 255 visible ASCII characters, with or without double quotes around them"
)

// Given reports whether a request has an Idempotency-Key, well formed or not.
func Given(r *http.Request) bool { return len(r.Header[header]) > 0 }

// readKey reads the header field: a string of RFC 9651 in quotes, as the draft has it, or the bare key, as most clients
// send it.
func readKey(r *http.Request) (key string, err error) {
	lines := r.Header[header]
	key = lines[0]
	if strings.HasPrefix(key, `"`) {
		key, err = unquote(key)
	}
	invisible := func(c rune) bool { return c < '!' || c > '~' }
	if err != nil || len(lines) > 1 || len(key) == 0 || len(key) > maxKey || strings.ContainsFunc(key, invisible) {
		return "", fault.InvalidField(header, fault.Truncate(strings.ToValidUTF8(lines[0], "?")), keyRule)
	}
	return key, nil
}

// hashKey is what stands for a key.
func hashKey(form id.UUID, key string) [32]byte {
	if form == (id.UUID{}) {
		return sha256.Sum256([]byte(key))
	}
	return sha256.Sum256([]byte(id.Key.Format(form) + " " + key)) // no key of a workspace has a space
}

var errQuoting = errors.New("malformed Idempotency-Key")

// unquote reads a string in double quotes, in which a backslash escapes a quote and a backslash.
func unquote(quoted string) (string, error) {
	var b strings.Builder
	for i := 1; i < len(quoted); i++ {
		switch c := quoted[i]; c {
		case '"':
			if i != len(quoted)-1 {
				return "", errQuoting
			}
			return b.String(), nil
		case '\\':
			if i++; i == len(quoted) || quoted[i] != '"' && quoted[i] != '\\' {
				return "", errQuoting
			}
			b.WriteByte(quoted[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", errQuoting
}

// maxMeant is how many bytes a body may have of which it is found out what it says.
const maxMeant = 64 << 10

// requestHashes returns two hashes: one is the same for requests that are written the same, the other for requests that
// say the same, whatever the order of their parameters and members and the spelling of their texts. It is told of
// bodies to maxMeant only, because it takes a copy. Requests that may not read what they create get another, shorter
// answer, and so have other hashes.
func requestHashes(r *http.Request, body []byte, writeOnly bool) (written, meant [32]byte) {
	written = hashRequest(r, r.URL.RawQuery, body, writeOnly)
	if len(body) > maxMeant {
		return written, written
	}
	said := jsontext.Value(bytes.Clone(body))
	// Numbers stay as they are written: the ids of two ads can be one number to a client that rounds.
	if said.Format(jsontext.ReorderRawObjects(true), jsontext.CanonicalizeRawInts(false),
		jsontext.CanonicalizeRawFloats(false), jsontext.AllowDuplicateNames(false)) != nil {
		said = body
	}
	return written, hashRequest(r, r.URL.Query().Encode(), said, writeOnly)
}

func hashRequest(r *http.Request, query string, body []byte, writeOnly bool) (sum [32]byte) {
	h := sha256.New()
	for _, part := range [...]string{r.Method, r.URL.EscapedPath(), query} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	if writeOnly {
		h.Write([]byte("blind\x00"))
	}
	h.Write(body)
	h.Sum(sum[:0])
	return sum
}
