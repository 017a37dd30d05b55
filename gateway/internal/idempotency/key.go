package idempotency

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"

	"leadgate/shared/fault"
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

// requestHash is the same for requests that ask for the same. Requests that may not read what they create get another,
// shorter answer, and so have another hash.
func requestHash(r *http.Request, body []byte, writeOnly bool) (sum [32]byte) {
	h := sha256.New()
	for _, part := range [...]string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery} {
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
