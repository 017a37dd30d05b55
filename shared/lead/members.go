package lead

import (
	"bytes"
	"iter"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// Members yields the top-level members of a JSON object, a name as often as it is there. A value is the caller's until
// the next one. What a stored object cannot have ends it: it was checked when it came.
func Members(object []byte) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		if len(object) <= len("{}") {
			return
		}
		dec := decoders.Get().(*jsontext.Decoder)
		defer decoders.Put(dec)
		dec.Reset(bytes.NewBuffer(object), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		if open, err := dec.ReadToken(); err != nil || open.Kind() != '{' {
			return
		}
		for dec.PeekKind() == '"' {
			name, err := dec.ReadToken()
			if err != nil {
				return
			}
			key := name.String()
			value, err := dec.ReadValue()
			if err != nil || !yield(key, value) {
				return
			}
		}
	}
}

// MemberOf returns the member of metadata that a name means, as tools write it that make columns of a JSON object:
// "metadata.company", "metadata_company", "metadata[company]"; "": none. What is in members of members has dots.
func MemberOf(name string) string {
	name = strings.TrimSpace(name)
	if len(name) <= len(FieldMetadata) || !strings.EqualFold(name[:len(FieldMetadata)], FieldMetadata) {
		return ""
	}
	rest := name[len(FieldMetadata):]
	if inner, ok := strings.CutSuffix(rest, "]"); ok && rest[0] == '[' {
		return strings.Trim(strings.ReplaceAll(inner[1:], "][", "."), `"' `)
	}
	if member := strings.TrimLeft(rest, "._/:"); member != rest {
		return strings.TrimSpace(member)
	}
	return ""
}
