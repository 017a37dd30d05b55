package lead

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/fault"
	"leadgate/shared/strictjson"
)

// Limits of members of metadata.
const (
	maxMemberName = 200 // characters; the rest is cut off
	fewMembers    = 16  // beyond, names are looked up in a map
	minCut        = 16  // bytes of room in which it is worth to keep the beginning of a text
)

// metadata is an object in the making.
type metadata struct {
	buf   []byte // `"name":value,` for each member
	names []string
	index map[string]struct{} // of names, once they are many
	whole []byte              // an object whose members follow the others

	reserved []string // names for Mark alone
}

func (m *metadata) reset() {
	m.buf, m.names, m.whole = m.buf[:0], m.names[:0], nil
	clear(m.index)
}

// room is how many bytes a member may still take, with its comma.
func (m *metadata) room() int { return MaxMetadata - len("{}") + len(",") - len(m.buf) }

func (m *metadata) has(name string) bool {
	if slices.Contains(m.reserved, name) {
		return true
	}
	if len(m.names) <= fewMembers {
		for _, n := range m.names {
			if n == name {
				return true
			}
		}
		return false
	}
	if m.index == nil {
		m.index = map[string]struct{}{}
	}
	if len(m.index) == 0 {
		for _, n := range m.names {
			m.index[n] = struct{}{}
		}
	}
	_, has := m.index[name]
	return has
}

// take returns the name that a member gets: its own or, where another has that, with a number; "": there are too many.
func (m *metadata) take(name string) string {
	free := name
	for n := 2; m.has(free); n++ {
		if n > 9 {
			return ""
		}
		free = name + " " + strconv.Itoa(n)
	}
	m.names = append(m.names, free)
	if len(m.index) > 0 {
		m.index[free] = struct{}{}
	}
	return free
}

// object returns the whole.
func (m *metadata) object() []byte {
	if m.whole != nil && len(m.buf) == 0 {
		return bytes.Clone(m.whole)
	}
	n := max(len(m.buf)-1, 0) // the last comma
	object := append(make([]byte, 0, n+len("{}")), '{')
	return append(append(object, m.buf[:n]...), '}')
}

// Member gives a member of metadata: a text, of which an empty one is absent. Where another has the name already, a
// number follows it.
func (g *Gatherer) Member(name, text string) {
	if g.ad.text == "" && strings.EqualFold(name, TurkishName) {
		g.ad = slot{name: name, text: text}
		return
	}
	g.member(name, text)
}

func (g *Gatherer) member(name, text string) {
	if text = memberText(text); text == "" {
		return
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	start := g.begin(name)
	if start < 0 {
		return
	}
	value := len(g.meta.buf)
	g.meta.buf, _ = jsontext.AppendQuote(g.meta.buf, text)
	g.meta.buf = append(g.meta.buf, ',')
	if over := -g.meta.room() + g.reserved; over > 0 {
		g.shorten(name, text, start, value, over)
	}
}

// memberText returns a text as metadata have it; "": there is nothing to see in it.
func memberText(text string) string {
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", " ")
	}
	return trim(text)
}

// saysNothing reports whether raw, which may be JSON, is absent: null, or a text with nothing to see in it.
func saysNothing(raw []byte) bool {
	if isString(raw) {
		return memberText(unquoted(raw)) == ""
	}
	return string(raw) == "null" || memberText(string(raw)) == ""
}

// shorten keeps of a text that is over bytes too long as much as fits, or leaves it out.
func (g *Gatherer) shorten(name, text string, start, value, over int) {
	room := len(g.meta.buf) - value - len(`"",`) - over
	end := 0
	for i, r := range text {
		if room -= quotedLen(r); room < 0 {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	if end < minCut {
		g.drop(name, start)
		return
	}
	g.meta.buf, _ = jsontext.AppendQuote(g.meta.buf[:value], text[:end])
	g.meta.buf = append(g.meta.buf, ',')
	g.Warn(name, "Is cut: a lead's metadata have at most %d bytes of JSON", MaxMetadata)
}

// quotedLen is how many bytes a character takes in a JSON string.
func quotedLen(r rune) int {
	switch {
	case r == '"', r == '\\', r >= '\b' && r <= '\r' && r != '\v':
		return len(`\n`)
	case r < ' ':
		return len(`\u0000`)
	}
	return utf8.RuneLen(r)
}

// drop takes the last member back.
func (g *Gatherer) drop(name string, start int) {
	g.meta.buf = g.meta.buf[:start]
	g.Warn(name, "Is left out: a lead's metadata have at most %d bytes of JSON", MaxMetadata)
}

// begin appends the name of a member and returns where it starts; -1: it is left out.
func (g *Gatherer) begin(name string) (start int) {
	if name = fault.TruncateTo(tidy(name), maxMemberName); name == "" {
		name = "unnamed"
	}
	free := g.meta.take(name)
	if free == "" {
		g.Warn(name, "Is left out: there are too many of this name")
		return -1
	}
	start = len(g.meta.buf)
	g.meta.buf, _ = jsontext.AppendQuote(g.meta.buf, free)
	g.meta.buf = append(g.meta.buf, ':')
	return start
}

// MemberJSON gives a member of metadata as JSON; null is absent. What a lead cannot hold as it came, because it is
// nested too deep for instance, is kept as the text that it is.
func (g *Gatherer) MemberJSON(name string, raw []byte) {
	raw = bytes.TrimSpace(raw)
	switch {
	case saysNothing(raw):
		return
	case isString(raw):
		g.Member(name, unquoted(raw))
		return
	case !jsontext.Value(raw).IsValid():
		g.Warn(name, "Is kept as text: it is no JSON, or has a name twice")
		g.Member(name, string(raw))
		return
	}
	if wrong := strictjson.CheckValue(raw, MaxDepth-1); wrong != "" {
		g.Warn(name, "Is kept as text. %s", wrong)
		g.Member(name, string(raw))
		return
	}
	start := g.begin(name)
	if start < 0 {
		return
	}
	g.meta.buf = append(append(g.meta.buf, raw...), ',')
	if g.meta.room() < g.reserved {
		g.drop(name, start)
	}
}

// Mark gives a member that Reserve kept room for, whatever else came; value is JSON.
func (g *Gatherer) Mark(name string, value []byte) {
	reserved, names := g.reserved, g.meta.reserved
	g.reserved, g.meta.reserved = 0, nil
	g.MemberJSON(name, value)
	g.reserved, g.meta.reserved = reserved, names
}

// maxTold is how many bytes of metadata warnings take at most.
const maxTold = 2 << 10

// tell marks the lead with its warnings.
func (g *Gatherer) tell() {
	if g.told == "" || len(g.warnings) == 0 {
		return
	}
	for n := len(g.warnings); n > 0; n-- {
		if told, _ := json.Marshal(g.warnings[:n]); len(told) <= maxTold { // texts only: cannot fail
			g.Mark(g.told, told)
			return
		}
	}
}

// Object gives members of metadata as one JSON object. Where nothing else is in metadata, it stays as it came. A cell
// of a file need not be JSON: then it is a text.
func (g *Gatherer) Object(name string, raw []byte) {
	raw = bytes.TrimSpace(raw)
	switch valid := jsontext.Value(raw).IsValid(); {
	case !valid && memberText(string(raw)) != "":
		g.Warn(name, "Is kept as text: it is no JSON, or has a name twice")
		g.Member(name, string(raw))
	case saysNothing(raw):
	case raw[0] != '{':
		g.Warn(name, "Is kept as it is: it is no JSON object")
		g.MemberJSON(name, raw)
	case g.meta.whole != nil:
		g.Warn(name, "Is kept under its name: another object has the members of metadata")
		g.MemberJSON(name, raw)
	case len(raw) > MaxMetadata || len(g.meta.reserved) > 0 || strictjson.CheckValue(raw, MaxDepth) != "":
		for _, m := range members(raw) {
			g.MemberJSON(m.name, m.raw)
		}
	default:
		g.meta.whole = raw
	}
}

// unfold makes members of the whole object where it is not alone.
func (g *Gatherer) unfold() {
	if g.meta.whole == nil || len(g.meta.buf) == 0 {
		return
	}
	for _, m := range members(g.meta.whole) {
		g.MemberJSON(m.name, m.raw)
	}
}

// isString reports whether raw, if it is JSON at all, is a string.
func isString(raw []byte) bool { return len(raw) > 1 && raw[0] == '"' && raw[len(raw)-1] == '"' }

// unquoted returns the text of a JSON string, and what is none as it is.
func unquoted(raw []byte) string {
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil && !jsontext.Value(raw).IsValid(jsontext.AllowInvalidUTF8(true)) {
		return string(raw)
	}
	return string(text)
}
