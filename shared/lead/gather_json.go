package lead

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// SetJSON is Set for a JSON value. Numbers are texts, a list of one is its item, the parts of a name are joined, and of
// an object the member is taken that has the value. What cannot be read so is in metadata under its name.
func (g *Gatherer) SetJSON(field, name string, rank int, raw []byte) {
	raw = bytes.TrimSpace(raw)
	if saysNothing(raw) {
		return
	}
	text, whole := textOf(field, raw, maxUnwrap)
	g.Set(field, name, rank, text)
	if !whole {
		if text == "" {
			g.Warn(name, "Is not a text: what came is in metadata")
		} else {
			g.Warn(name, "Is more than one text: all that came is in metadata")
		}
		g.MemberJSON(name, raw)
	}
}

// TextOf returns the text that a JSON value is for a field, as SetJSON reads it. It is not whole where the value says
// more than the text.
func TextOf(field string, raw []byte) (text string, whole bool) {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		return "", true
	}
	text, whole = textOf(field, raw, maxUnwrap)
	return tidy(text), whole
}

// maxUnwrap is how many lists and objects may be around a text.
const maxUnwrap = 4

// textOf returns the text that a JSON value is for a field. It is not whole where the value says more.
func textOf(field string, raw []byte, depth int) (text string, whole bool) {
	switch c := raw[0]; {
	case isString(raw):
		return unquoted(raw), true
	case string(raw) == "null":
		return "", true
	case c == '-' || c >= '0' && c <= '9':
		return plainNumber(string(raw)), true
	case c == '[' && depth > 0 && jsontext.Value(raw).IsValid():
		return textOfList(field, raw, depth)
	case c == '{' && depth > 0 && jsontext.Value(raw).IsValid():
		return textOfObject(field, members(raw), depth)
	}
	return "", false
}

// plainNumber writes a whole number with its digits only: 1.5550100e7 is a phone number too.
func plainNumber(raw string) string {
	if strings.ContainsAny(raw, ".eE") {
		if n, err := strconv.ParseFloat(raw, 64); err == nil && n == float64(int64(n)) && n < 1e15 && n > -1e15 {
			return strconv.FormatInt(int64(n), 10)
		}
	}
	return raw
}

// textOfList returns the first item that is a text; it is whole when there is no other.
func textOfList(field string, raw []byte, depth int) (text string, whole bool) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	dec.ReadToken() // "["
	whole = true
	for dec.PeekKind() != ']' {
		item, err := dec.ReadValue()
		if err != nil {
			return text, false
		}
		t, all := textOf(field, item, depth-1)
		if t == "" && all || t == text {
			continue
		}
		if whole = whole && all && text == ""; text == "" {
			text = t
		}
	}
	return text, whole
}

// The members of an object that are its value, in the order in which they are looked for.
var (
	valueNames = []string{"value", "full", "text", "formatted", "international", "number", "address", "answer",
		"raw_value", "plain_text"}
	nameOrder = []string{"first", "given", "middle", "last", "family"}
)

// textOfObject returns the value of an object such as {"first":"Ann","last":"Baker"}, {"value":"ann@example.com"} or
// {"area":"555","phone":"0100"}. It is whole where no member was left out that says something else.
func textOfObject(field string, all []jsonMember, depth int) (text string, whole bool) {
	if field == FieldPhone {
		if text, whole = textOfPhone(all, depth); text != "" {
			return text, whole
		}
	}
	text = valueOf(field, all, depth)
	for _, m := range all {
		t, ok := textOf(field, m.raw, depth-1)
		if t = tidy(t); !ok || t != "" && !strings.Contains(" "+text+" ", " "+t+" ") {
			return text, false
		}
	}
	return text, true
}

// valueOf returns the text of those members of an object that are its value.
func valueOf(field string, all []jsonMember, depth int) string {
	member := func(fits func(name string) bool) string {
		for _, m := range all {
			if fits(m.name) {
				if t, _ := textOf(field, m.raw, depth-1); tidy(t) != "" {
					return tidy(t)
				}
			}
		}
		return ""
	}
	named := func(wanted string) string {
		return member(func(name string) bool { return strings.EqualFold(name, wanted) })
	}
	means := func(field string) string {
		return member(func(name string) bool { f, _ := FieldOf(name); return f == field })
	}
	var parts []string
	add := func(part string) {
		if part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if field == FieldName {
		add(means(FieldFirstName))
		for _, n := range nameOrder {
			add(named(n))
		}
		add(means(FieldLastName))
	}
	if len(parts) > 1 || len(parts) == 1 && len(all) == 1 {
		return strings.Join(parts, " ")
	}
	if t := means(field); t != "" {
		return t
	}
	if t := named(named("type")); t != "" { // {"type":"title","title":…}
		return t
	}
	for _, n := range valueNames {
		if t := named(n); t != "" {
			return t
		}
	}
	return strings.Join(parts, " ") // one, or none
}
