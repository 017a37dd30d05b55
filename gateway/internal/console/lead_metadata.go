package console

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"leadgate/shared/fault"
)

// metaRow is a row of the form in which metadata is edited. Was is the key that it had; "": it is new.
type metaRow struct{ Was, Key, Value string }

// emptyRows are for new keys.
const emptyRows = 2

// metaRows are the rows of the form: as they were entered, where the form is shown again, else as the metadata is.
func metaRows(entered url.Values, now []member) (rows []metaRow) {
	was, keys, values := entered["metaWas"], entered["metaKey"], entered["metaValue"]
	if n := min(len(was), len(keys), len(values)); n > 0 {
		for i := range n {
			rows = append(rows, metaRow{was[i], keys[i], values[i]})
		}
		return rows
	}
	for _, m := range now {
		rows = append(rows, metaRow{m.Key, m.Key, m.Text})
	}
	return append(rows, make([]metaRow, emptyRows)...)
}

// metaPatch is the merge patch (RFC 7396) that makes of the metadata what was entered. A row without its name or its
// value takes the key away. What was text stays text; what was not must be JSON again.
func metaPatch(entered url.Values, now []member) (map[string]any, error) {
	patch := map[string]any{}
	takeAway := func(key string) {
		if _, given := patch[key]; !given { // another row has the name now
			patch[key] = nil
		}
	}
	var wrong []fault.Field
	for _, row := range metaRows(entered, now) {
		key := strings.TrimSpace(row.Key)
		i := slices.IndexFunc(now, func(m member) bool { return m.Key == row.Was })
		if i < 0 {
			if key != "" && row.Value != "" {
				patch[key] = plainLines(row.Value)
			}
			continue
		}
		m := &now[i]
		switch {
		case key == m.Key && plainLines(row.Value) == plainLines(m.Text): // it is as it was
		case key == "" || row.Value == "":
			takeAway(m.Key)
		default:
			value, err := m.changed(row.Value)
			if err != nil {
				wrong = append(wrong, fault.Field{Field: "metadata." + m.Key,
					Message: `Must be JSON, as it was: such as 42, true or ["a", "b"]`})
				continue
			}
			if key != m.Key {
				takeAway(m.Key)
			} else {
				value = difference(m.JSON, value)
			}
			patch[key] = value
		}
	}
	if wrong != nil {
		return nil, fault.Invalid(wrong)
	}
	return patch, nil
}

// plainLines ends lines as this system does: browsers send two characters.
func plainLines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// changed reads what was entered in place of the member's value.
func (m *member) changed(text string) (any, error) {
	if m.IsText() {
		return plainLines(text), nil
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return nil, fault.InvalidField(m.Key, nil, "Must be JSON")
}

// difference is the merge patch of an object: what is not in it any more must be said to be null. Of anything else it
// is the value.
func difference(was json.RawMessage, now any) any {
	raw, ok := now.(json.RawMessage)
	if !ok || !isObject(was) || !isObject(raw) {
		return now
	}
	patch := map[string]any{}
	former := members(was)
	for _, m := range former {
		patch[m.Key] = nil
	}
	for _, m := range members(raw) {
		patch[m.Key] = m.JSON
		if i := slices.IndexFunc(former, func(f member) bool { return f.Key == m.Key }); i >= 0 {
			patch[m.Key] = difference(former[i].JSON, m.JSON)
		}
	}
	return patch
}

func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }
