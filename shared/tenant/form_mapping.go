package tenant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/strictjson"
)

// Limits of a form's mapping.
const (
	maxTargets = 50
	maxPaths   = 10 // of a target
	maxIgnored = 100
)

// MemberOf is what a target begins with that is a member of metadata.
const MemberOf = lead.FieldMetadata + "."

// FormTargets are the fields of a lead that a form can give, besides members of metadata.
func FormTargets() []string {
	return []string{lead.FieldEmail, lead.FieldName, lead.FieldFirstName, lead.FieldLastName, lead.FieldPhone}
}

const (
	targetRule = "Must be email, name, firstName, lastName, phone, or metadata. and a name: what the form calls it is the value"
	pathRule   = "Must be what the form calls it: a name, a path such as payload.data.email, answers[type=email].email or " +
		"fields[email][value], or a list of at most 10 of them"
)

// readFields reads the current member: for each target a path, or a list of them. What is wrong with the paths is told
// by Check.
func readFields(r *strictjson.Reader) map[string][]string {
	object := r.Object(maxFormJSON, 3)
	if object == nil {
		return nil
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(object, &given) != nil || len(given) == 0 {
		return nil
	}
	fields := make(map[string][]string, len(given))
	for target, raw := range given {
		var paths []string
		switch raw = bytes.TrimSpace(raw); raw[0] {
		case 'n':
			continue
		case '"':
			paths = []string{""}
			_ = json.Unmarshal(raw, &paths[0]) // it was read as JSON before
		default:
			if json.Unmarshal(raw, &paths) != nil || paths == nil {
				paths = []string{""} // which Check refuses
			}
		}
		fields[target] = paths
	}
	return fields
}

// checkMapping returns every mistake in the form's mapping, with its place below "form".
func (f Form) checkMapping() (wrong []fault.Field) {
	refuse := func(field, below string, value any, message string) {
		wrong = append(wrong, fault.Field{Field: "form." + field, Pointer: fault.Truncate("/form/" + field + below),
			Value: value, Message: message})
	}
	if _, known := presets[f.Preset]; f.Preset != "" && !known {
		refuse("preset", "", fault.Truncate(f.Preset), "Must be one of: "+strings.Join(Presets(), ", "))
	}
	if len(f.Fields) > maxTargets {
		refuse("fields", "", nil, fmt.Sprintf("Must have at most %d members", maxTargets))
		return wrong
	}
	for _, target := range slices.Sorted(maps.Keys(f.Fields)) {
		at := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(target)
		if !goodTarget(target) {
			refuse("fields", at, nil, targetRule)
			continue
		}
		paths := f.Fields[target]
		if len(paths) == 0 || len(paths) > maxPaths || slices.ContainsFunc(paths, badPath) {
			refuse("fields", at, nil, pathRule)
		}
	}
	if len(f.Ignore) > maxIgnored || slices.ContainsFunc(f.Ignore, badPath) {
		refuse("ignore", "", nil, fmt.Sprintf("Must be a list of at most %d names or paths; a * at the end of one stands for "+
			"whatever follows", maxIgnored))
	}
	return wrong
}

func goodTarget(target string) bool {
	if member, ok := strings.CutPrefix(target, MemberOf); ok {
		return member != "" && utf8.RuneCountInString(member) <= MaxName && !strings.ContainsFunc(member, unicode.IsControl) &&
			!strings.HasPrefix(member, "_")
	}
	return slices.Contains(FormTargets(), target)
}

func badPath(path string) bool {
	_, ok := ParsePath(path)
	return !ok || strings.ContainsFunc(path, unicode.IsControl)
}

// Mapping is where the fields of a form go: its own paths before those of its preset.
func (f Form) Mapping() (fields map[string][]string, ignore []string) {
	p := presets[f.Preset]
	fields = make(map[string][]string, len(f.Fields)+len(p.fields))
	for target, paths := range f.Fields {
		fields[target] = slices.Clone(paths)
	}
	for target, paths := range p.fields {
		fields[target] = append(fields[target], paths...)
	}
	return fields, append(slices.Clone(f.Ignore), p.ignore...)
}
