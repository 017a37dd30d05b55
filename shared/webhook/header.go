package webhook

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxHeaderName is how many bytes the name of an endpoint's own header can have.
const MaxHeaderName = 100

// ownHeaders are written by the sender or its transport; hop-by-hop ones would also let a receiver read another request
// than was sent (RFC 9110, 7.6.1).
var ownHeaders = []string{
	"host", "content-length", "content-type", "transfer-encoding", "connection", "te", "trailer",
	"upgrade", "keep-alive", "expect", "accept-encoding", "user-agent",
}

// ownPrefixes are of families of headers that are not an endpoint's to set.
var ownPrefixes = []string{"proxy-", "webhook-"}

// CheckHeaderName returns what is expected where name cannot be a header sent along, else "".
func CheckHeaderName(name string) string {
	if name == "" || len(name) > MaxHeaderName || strings.ContainsFunc(name, func(c rune) bool { return !tokenChar(c) }) {
		return fmt.Sprintf("Must be a header name: 1 to %d letters, digits and characters of !#$%%&'*+-.^_`|~", MaxHeaderName)
	}
	lower := strings.ToLower(name)
	own := func(prefix string) bool { return strings.HasPrefix(lower, prefix) }
	if slices.Contains(ownHeaders, lower) || slices.ContainsFunc(ownPrefixes, own) {
		return "Must not be a header that is set with every delivery: " + strings.Join(ownHeaders, ", ") +
			", proxy-*, webhook-*"
	}
	return ""
}

// tokenChar reports whether c is a character of an RFC 9110 token.
func tokenChar(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~",
		c)
}

// CheckHeaderValue returns what is expected where value cannot be a header's, else "". It never repeats the value,
// which may be a secret.
func CheckHeaderValue(value string) string {
	switch {
	case len(value) > MaxHeaderValue:
		return fmt.Sprintf("Must be at most %d characters", MaxHeaderValue)
	case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }):
		return "Must be visible ASCII characters and spaces"
	case strings.TrimSpace(value) != value:
		return "Must not begin or end with a space"
	}
	return ""
}

// HeaderMask stands for the value of a header wherever one is shown. Given as a value, it keeps the one that is there.
const HeaderMask = "***"

// MaskHeaders returns headers as they may be shown: values can be secrets.
func MaskHeaders(headers map[string]string) map[string]string {
	masked := make(map[string]string, len(headers))
	for name := range headers {
		masked[name] = HeaderMask
	}
	return masked
}

// MergeHeaders returns what headers are after changes: nil removes a name, HeaderMask keeps its value, and is left
// where there is none. Names are compared without case (RFC 9110), and the newest spelling stays.
func MergeHeaders(headers map[string]string, changes map[string]*string) map[string]string {
	merged := map[string]string{}
	maps.Copy(merged, headers)
	for name, value := range changes {
		kept := HeaderMask
		maps.DeleteFunc(merged, func(old, value string) bool {
			if !strings.EqualFold(old, name) {
				return false
			}
			kept = value
			return true
		})
		switch {
		case value == nil:
		case *value == HeaderMask:
			merged[name] = kept
		default:
			merged[name] = *value
		}
	}
	return merged
}
