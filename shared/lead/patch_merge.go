package lead

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// merge returns target with patch merged into it (RFC 7396), and whether that is anything else. What is not changed
// stays as it was typed, in its place; a target that does not change at all comes back as it is. Both are valid JSON; a
// nil target is none.
func merge(target, patch []byte) (merged []byte, changed bool) {
	if patch[0] != '{' {
		return patch, !same(target, patch)
	}
	isObject := len(target) > 0 && target[0] == '{'
	var all []jsonMember
	if isObject {
		all = members(target)
	}
	at := make(map[string]int, len(all))
	for i := range all {
		at[all[i].name] = i
	}
	changed = !isObject
	for _, m := range members(patch) {
		i, has := at[m.name]
		switch {
		case m.raw[0] == 'n' && has:
			all[i].raw, changed = nil, true
			delete(at, m.name)
		case m.raw[0] == 'n':
		case has:
			raw, differs := merge(all[i].raw, m.raw)
			all[i].raw, changed = raw, changed || differs
		default:
			m.raw, _ = merge(nil, m.raw)
			all, changed = append(all, m), true
		}
	}
	if !changed {
		return target, false
	}
	return appendMembers(make([]byte, 0, len(target)+len(patch)), all), true
}

// jsonMember is a member of an object; one without raw was removed.
type jsonMember struct {
	name        string
	quoted, raw []byte
}

func members(object []byte) (all []jsonMember) {
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := dec.ReadToken(); err != nil {
		return nil
	}
	for dec.PeekKind() == '"' {
		quoted, err := dec.ReadValue()
		if err != nil {
			break
		}
		quoted = bytes.Clone(quoted) // a value does not outlive the next read
		raw, err := dec.ReadValue()
		if err != nil {
			break
		}
		name, _ := jsontext.AppendUnquote(nil, quoted)
		all = append(all, jsonMember{string(name), quoted, bytes.Clone(raw)})
	}
	return all
}

func appendMembers(dst []byte, all []jsonMember) []byte {
	dst = append(dst, '{')
	first := true
	for _, m := range all {
		if m.raw == nil {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, m.quoted...)
		dst = append(dst, ':')
		dst = append(dst, m.raw...)
	}
	return append(dst, '}')
}

// same reports whether two JSON values differ in nothing but space and the spelling of strings. Numbers are taken as
// they are written, because not every reader takes 1 and 1.0 for the same.
func same(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	if bytes.Equal(a, b) {
		return true
	}
	x, y := jsontext.NewDecoder(bytes.NewReader(a)), jsontext.NewDecoder(bytes.NewReader(b))
	for {
		s, errX := x.ReadToken()
		t, errY := y.ReadToken()
		if errX != nil || errY != nil {
			return errX != nil && errY != nil
		}
		if s.Kind() != t.Kind() || s.String() != t.String() {
			return false
		}
	}
}
