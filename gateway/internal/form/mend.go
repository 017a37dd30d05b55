package form

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// mender writes JSON as it is meant, from what templates and scripts make by hand: nobody reads the error that they
// would get. It mends what can be meant in one way only, and leaves everything else to be refused. It looks at each
// byte a bounded number of times.
type mender struct {
	raw   []byte
	at    int
	out   []byte
	open  []byte   // the { and [ that are not closed yet
	last  byte     // what was written last: one of { [ , :, or name or value; 0: nothing
	comma int      // where in out the last comma is
	notes []string // what was mended, the first of each kind
}

// What was written last, where that is no sign.
const (
	aName  = 'n'
	aValue = 'v'
)

// Limits of the mender.
const (
	maxAhead    = 512 // bytes that are looked at behind a quote
	maxBareName = 128 // bytes of a name
	maxNumber   = 32  // bytes of a number behind which a comma can be missing
	maxNotes    = 5
)

// mendJSON returns what raw is meant to be, and what was mended.
func mendJSON(raw []byte) (mended []byte, notes []string) {
	m := &mender{raw: raw, out: make([]byte, 0, len(raw)+len(raw)/8)}
	for m.at < len(raw) {
		c := raw[m.at]
		switch {
		case c <= ' ':
			m.out = append(m.out, c)
			m.at++
		case m.comment(m.at) > 0:
			m.note("JSON has no comments")
			m.at += m.comment(m.at)
		case c == '"' || c == '\'' && len(m.open) > 0:
			m.text(c)
		case strings.IndexByte("{}[],:", c) >= 0:
			m.sign(c)
			m.at++
		default:
			m.bare()
		}
	}
	return m.out, m.notes
}

// note tells once of each kind of mistake.
func (m *mender) note(what string) {
	same := func(note string) bool { return strings.HasSuffix(note, what) }
	if len(m.notes) < maxNotes && !slices.ContainsFunc(m.notes, same) {
		m.notes = append(m.notes, fmt.Sprintf("after %d bytes, %s", m.at, what))
	}
}

// sign writes a sign that stands between values.
func (m *mender) sign(c byte) {
	switch c {
	case '{', '[':
		m.before()
		m.open = append(m.open, c)
	case ',', '}', ']':
		if m.last == ':' {
			m.note("a value is missing, which is null")
			m.out, m.last = append(m.out, "null"...), aValue
		}
		if c == ',' && (m.last == ',' || m.last == '{' || m.last == '[') && len(m.open) > 0 {
			m.note("a comma stands where no value is")
			return
		}
		if c == ',' {
			m.comma = len(m.out)
			break
		}
		if m.last == ',' {
			m.note("no comma stands before } or ]")
			m.out[m.comma] = ' '
		}
		m.open = m.open[:max(0, len(m.open)-1)]
	}
	m.out, m.last = append(m.out, c), c
	if c == '}' || c == ']' {
		m.last = aValue
	}
}

// before writes the comma that is missing before a name or value.
func (m *mender) before() {
	if m.last == aValue && len(m.open) > 0 {
		m.note("a comma is missing")
		m.out, m.last = append(m.out, ','), ','
	}
}

// isName reports whether a name is next.
func (m *mender) isName() bool {
	return m.in() == '{' && (m.last == '{' || m.last == ',')
}

// in returns the sign that opened what is being written; 0: it is not in anything.
func (m *mender) in() byte {
	if len(m.open) == 0 {
		return 0
	}
	return m.open[len(m.open)-1]
}

// text writes a name or text between quotes. One that has no end stays so.
func (m *mender) text(q byte) {
	m.before()
	isName := m.isName()
	if q == '\'' {
		m.note("texts stand between double quotes")
	}
	m.out = append(m.out, '"')
	for m.at++; m.at < len(m.raw); m.at++ {
		switch c := m.raw[m.at]; {
		case c == '\\':
			m.escape()
		case c < ' ':
			m.note("in a text a line break is written \\n")
			control := quote(string(c))
			m.out = append(m.out, control[1:len(control)-1]...)
		case c == q && m.ends(isName):
			m.out, m.last = append(m.out, '"'), aValue
			if isName {
				m.last = aName
			}
			m.at++
			return
		case c == '"':
			m.note("in a text \" is written \\\"")
			m.out = append(m.out, '\\', '"')
		default:
			m.out = append(m.out, c)
		}
	}
}

// escape writes the backslash of a text that is next, with what it escapes; one that escapes nothing is text.
func (m *mender) escape() {
	rest := m.raw[m.at+1:]
	switch {
	case len(rest) == 0:
		m.out = append(m.out, '\\')
	case rest[0] == '\'':
		m.note("in a text ' is written as it is")
		m.out = append(m.out, '\'')
		m.at++
	case strings.IndexByte(`"\/bfnrt`, rest[0]) >= 0,
		rest[0] == 'u' && len(rest) > 4 && isHex(rest[1]) && isHex(rest[2]) && isHex(rest[3]) && isHex(rest[4]):
		m.out = append(m.out, '\\', rest[0])
		m.at++
	default:
		m.note("in a text \\ is written \\\\")
		m.out = append(m.out, '\\', '\\')
	}
}

// ends reports whether the quote that is next ends a text, which what follows says.
func (m *mender) ends(isName bool) bool {
	next := m.skip(m.at + 1)
	if next >= len(m.raw) {
		return true
	}
	switch c, in := m.raw[next], m.in(); {
	case isName:
		return c == ':'
	case c == '}' && in == '{', c == ']' && in == '[':
		after := m.skip(next + 1)
		return after >= len(m.raw) || strings.IndexByte(",}]\"", m.raw[after]) >= 0
	case c == ',':
		return in == '[' || in == '{' && m.nameAt(next+1)
	case c == '"' || c == '\'':
		return in == '{' && m.nameAt(next)
	}
	return false
}

// nameAt reports whether a name and a colon follow, or the end of an object.
func (m *mender) nameAt(at int) bool {
	at = m.skip(at)
	if at >= len(m.raw) {
		return true
	}
	ahead := m.raw[at:min(len(m.raw), at+maxBareName)]
	end := 0
	switch c := ahead[0]; c {
	case '}', ',':
		return true
	case '"', '\'':
		if end = 2 + bytes.IndexByte(ahead[1:], c); end == 1 {
			return false
		}
	default:
		for end < len(ahead) && isBareName(ahead[end]) {
			end++
		}
	}
	at = m.skip(at + end)
	return end > 0 && at < len(m.raw) && m.raw[at] == ':'
}

func isBareName(c byte) bool {
	return c >= 0x80 || strings.IndexByte("_$-.", c) >= 0 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// skip returns where after at there is something else than space and comments.
func (m *mender) skip(at int) int {
	for end := at + maxAhead; at < len(m.raw) && at < end; {
		if m.raw[at] <= ' ' {
			at++
			continue
		}
		n := m.comment(at)
		if n == 0 {
			break
		}
		at += n
	}
	return at
}

// comment returns how long the comment is that begins at at; 0: there is none, or one that is too long.
func (m *mender) comment(at int) int {
	ahead := m.raw[at:min(len(m.raw), at+maxAhead)]
	switch {
	case bytes.HasPrefix(ahead, []byte("//")):
		return max(0, bytes.IndexByte(ahead, '\n'))
	case bytes.HasPrefix(ahead, []byte("/*")):
		if end := bytes.Index(ahead, []byte("*/")); end > 0 {
			return end + 2
		}
	}
	return 0
}

// bare writes a name or value that has no quotes: a number, true, false or null, what other languages have for these,
// or a text.
func (m *mender) bare() {
	m.before()
	if m.isName() {
		end := m.at
		for end < len(m.raw) && isBareName(m.raw[end]) {
			end++
		}
		m.note("names stand between double quotes")
		m.out, m.last = append(m.out, quote(string(m.raw[m.at:end]))...), aName
		m.at = max(end, m.at+1)
		return
	}
	from, end := m.at, m.valueEnd()
	token := bytes.TrimSpace(m.raw[from:end])
	if end < len(m.raw) && (m.last == ':' || m.last == ',' || m.last == '[') {
		token = m.word(token) // else it is not mended
	}
	m.at, m.last = end, aValue
	m.out = append(m.out, token...)
}

// valueEnd returns where the value ends that begins here without a quote.
func (m *mender) valueEnd() int {
	for at := m.at; at < len(m.raw); at++ {
		switch c := m.raw[at]; {
		case strings.IndexByte(",}]\n", c) >= 0, c <= ' ' && at+1 < len(m.raw) && m.comment(at+1) > 0:
			return at
		case c == ' ' && m.raw[at-1] != ' ' && m.in() == '{' && m.isNumber(at) && m.nameAt(at):
			return at // a comma is missing
		}
	}
	return len(m.raw)
}

// isNumber reports whether what is next is a number, true, false or null, and ends before end.
func (m *mender) isNumber(end int) bool {
	return end-m.at <= maxNumber && jsontext.Value(m.raw[m.at:end]).IsValid()
}

// word returns what a value without quotes means, as JSON.
func (m *mender) word(token []byte) []byte {
	if jsontext.Value(token).IsValid() {
		return token
	}
	switch low := strings.ToLower(string(token)); low {
	case "true", "false", "null":
		m.note("true, false and null have small letters")
		return []byte(low)
	case "nan", "undefined", "none", "nil", "infinity", "-infinity", "+infinity", "inf", "-inf":
		m.note("what is not known is null")
		return []byte("null")
	}
	m.note("texts stand between double quotes")
	return quote(string(token))
}
