package api

import (
	"net/http"
	"slices"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
)

// etag is the entity tag of a lead: of its own fields, whatever is found out about it besides.
func etag(l *lead.Lead) string { return `"` + l.Version() + `"` }

// match is optimistic concurrency: what If-Match (RFC 9110, 13.1.1) asks of a lead that is to be changed.
type match struct {
	given bool
	any   bool
	tags  []string // strong ones, with their quotes
	weak  []string // likewise; they match nothing
}

const (
	maxTags     = 50 // of If-Match
	ifMatchRule = `Must be *, or entity tags as the header ETag has them, such as "m4zu3k1c", with commas between them`
)

// readMatch reads the header If-Match. Weak tags are well formed, and match nothing.
func readMatch(r *http.Request) (m match, err error) {
	lines, given := r.Header["If-Match"]
	if !given {
		return m, nil
	}
	m.given = true
	text := strings.Join(lines, ",")
	malformed := fault.InvalidField("If-Match", fault.Truncate(text), ifMatchRule)
	if strings.Trim(text, " \t") == "*" {
		m.any = true
		return m, nil
	}
	found := 0
	for rest := text; ; {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			break
		}
		weak := strings.HasPrefix(rest, "W/")
		tag, after, ok := cutTag(strings.TrimPrefix(rest, "W/"))
		if rest = strings.TrimLeft(after, " \t"); !ok || rest != "" && rest[0] != ',' {
			return m, malformed
		}
		if found++; found > maxTags {
			return m, malformed
		}
		if weak {
			m.weak = append(m.weak, tag)
		} else {
			m.tags = append(m.tags, tag)
		}
	}
	if found == 0 {
		return m, malformed
	}
	return m, nil
}

// cutTag takes the entity tag that text begins with.
func cutTag(text string) (tag, after string, ok bool) {
	if text == "" || text[0] != '"' {
		return "", "", false
	}
	end := strings.IndexByte(text[1:], '"') + 2
	if end < 2 {
		return "", "", false
	}
	for _, c := range []byte(text[1 : end-1]) {
		if c < '!' || c == 0x7F { // etagc: all that can be seen, and what is not ASCII
			return "", "", false
		}
	}
	return text[:end], text[end:], true
}

// check is PRECONDITION_FAILED when l is not as the client thinks.
func (m *match) check(l *lead.Lead) error {
	if !m.given || m.any {
		return nil
	}
	switch tag := etag(l); {
	case slices.Contains(m.tags, tag):
		return nil
	case slices.Contains(m.weak, tag):
		return fault.New(fault.Precondition, "If-Match must have the strong tag "+tag+", without W/, which a proxy that "+
			"compresses answers puts before it")
	}
	return fault.New(fault.Precondition, "The lead was changed since the version in If-Match; its ETag is now "+etag(l))
}
