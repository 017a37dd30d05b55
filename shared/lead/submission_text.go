package lead

import (
	"encoding/json"
	"strings"
)

// Contains reports whether a text is in the email, the name or a field's value, in capitals or not.
func (s *Submission) Contains(text string) bool {
	text = strings.ToLower(text)
	if strings.Contains(strings.ToLower(s.Email), text) || strings.Contains(strings.ToLower(s.Name), text) {
		return true
	}
	var fields any
	dec := json.NewDecoder(strings.NewReader(string(s.Fields)))
	dec.UseNumber()
	return dec.Decode(&fields) == nil && valueContains(fields, text)
}

// valueContains reports whether a value, or one inside it, has a text in it. Names are none of it.
func valueContains(value any, text string) bool {
	switch v := value.(type) {
	case string:
		return strings.Contains(strings.ToLower(v), text)
	case json.Number:
		return strings.Contains(v.String(), text)
	case []any:
		for _, inside := range v {
			if valueContains(inside, text) {
				return true
			}
		}
	case map[string]any:
		for _, inside := range v {
			if valueContains(inside, text) {
				return true
			}
		}
	}
	return false
}
