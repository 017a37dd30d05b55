package api

import (
	"net/url"
	"slices"
	"strings"

	"leadgate/shared/fault"
)

// checkQuery refuses parameters a route does not know: an answer that ignores a filter looks like one that obeys it.
func checkQuery(raw string, known []string) error {
	if raw == "" {
		return nil
	}
	q, err := url.ParseQuery(raw)
	if err != nil { // leaving out what cannot be read would be ignoring it
		return fault.InvalidField("query", fault.Cut(raw), "Must be a URL-encoded query")
	}
	rule := "Unknown parameter: there are none here"
	if len(known) > 0 {
		rule = "Unknown parameter: must be one of " + strings.Join(known, ", ")
	}
	var wrong []fault.Field
	for name, values := range q {
		switch {
		case !knows(known, name):
			wrong = append(wrong, fault.Field{Field: fault.Cut(name), Value: fault.Cut(values[0]), Message: rule})
		case len(values) > 1:
			wrong = append(wrong, fault.Field{Field: name, Value: fault.Cut(values[1]), Message: "Must be given once"})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.SortFunc(wrong, func(x, y fault.Field) int { return strings.Compare(x.Field, y.Field) })
	return fault.Invalid(wrong)
}
