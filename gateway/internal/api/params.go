package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// Sizes of pages.
const (
	defaultPage = 50
	maxPage     = 200
)

// params reads a request's query parameters and collects what is wrong with them.
type params struct {
	url.Values
	invalid []fault.Field
}

func readParams(r *http.Request) *params { return &params{Values: r.URL.Query()} }

func (q *params) addError(name, message string) {
	q.invalid = append(q.invalid, fault.Field{Field: name, Value: fault.Truncate(q.Get(name)), Message: message})
}

// err returns all errors of the parameters as one VALIDATION_ERROR, or nil.
func (q *params) err() error {
	if len(q.invalid) == 0 {
		return nil
	}
	return fault.Invalid(q.invalid)
}

// limit reads how many rows a page has.
func (q *params) limit() int {
	if !q.Has("limit") {
		return defaultPage
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || n < 1 || n > maxPage {
		q.addError("limit", fmt.Sprintf("Must be a whole number between 1 and %d", maxPage))
	}
	return n
}

const cursorRule = "Must be the nextCursor of an earlier answer of this list"

// cursor reads the nextCursor of the previous page, which is the id of its last row; zero means the first page.
func (q *params) cursor(prefix id.Prefix) id.UUID { return q.parseID("cursor", prefix, cursorRule) }

// id reads an id; zero means that the parameter is absent.
func (q *params) id(name string, prefix id.Prefix) id.UUID {
	return q.parseID(name, prefix, prefix.Rule())
}

func (q *params) parseID(name string, prefix id.Prefix, rule string) (u id.UUID) {
	if !q.Has(name) {
		return u
	}
	u, err := prefix.Parse(q.Get(name))
	if err != nil {
		q.addError(name, rule)
	}
	return u
}

// bool reads true or false; an absent parameter is false.
func (q *params) bool(name string) bool { return q.choice(name, "true", "false") == "true" }

// choice reads one of allowed; "" means that the parameter is absent.
func (q *params) choice(name string, allowed ...string) string {
	text := q.Get(name)
	switch {
	case !q.Has(name):
	case slices.Contains(allowed, text):
		return text
	case len(allowed) == 2:
		q.addError(name, "Must be "+allowed[0]+" or "+allowed[1])
	default:
		q.addError(name, "Must be one of: "+strings.Join(allowed, ", "))
	}
	return ""
}

// texts are the texts of named strings.
func texts[T ~string](all []T) []string {
	plain := make([]string, len(all))
	for i, s := range all {
		plain[i] = string(s)
	}
	return plain
}

// text reads 1 to limit characters.
func (q *params) text(name string, limit int) string {
	text := q.Get(name)
	n := utf8.RuneCountInString(text)
	if q.Has(name) && (n < 1 || n > limit) {
		q.addError(name, fmt.Sprintf("Must be 1 to %d characters", limit))
		return ""
	}
	return text
}

// timeRange reads the two ends of a range of time, of which until is not part. Either may be a day (UTC): the range is
// from its beginning, or until its end.
func (q *params) timeRange(fromName, untilName string) (from, until time.Time) {
	from, _ = q.timeOrDay(fromName)
	until, isDay := q.timeOrDay(untilName)
	if next := until.AddDate(0, 0, 1); isDay && next.Year() <= 9999 {
		until = next
	}
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		q.addError(untilName, laterRule(fromName))
	}
	return from, until
}

func (q *params) timeOrDay(name string) (at time.Time, isDay bool) {
	if !q.Has(name) {
		return at, false
	}
	text := q.Get(name)
	if at, ok := parseTime(text); ok {
		return at, false
	}
	at, ok := parseTime(text + "T00:00:00Z")
	if !ok {
		q.addError(name, timeRule+plusHint+", or a day (UTC) such as 2026-01-15")
	}
	return at, ok
}

// parseTime reads a time that ids and answers can hold; zero where that cannot be. T and Z may be small letters (RFC
// 3339, 5.6).
func parseTime(text string) (at time.Time, ok bool) {
	at, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	if at = at.UTC(); err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return time.Time{}, false
	}
	return at, true
}

const (
	timeRule = "Must be an RFC 3339 time in the years 1970 to 9999, such as 2026-01-15T10:30:00Z"
	plusHint = " (in a URL, write + as %2B)"
)

// onceRule is for a parameter that is given twice.
const onceRule = "Must be given only once (status, state and verdict take several values, separated by commas)"

func laterRule(from string) string { return "Must be later than " + from }

// Bounds of a range of days.
const (
	defaultDays = 30
	maxDays     = 400 // of usage
)

// days reads the two ends of a range of at most so many days (UTC), of which until is not part. Without them the range
// is the last 30 days up to today.
func (q *params) days(now time.Time, most int) (from, until time.Time) {
	from, fromGiven := q.day("from")
	until, untilGiven := q.day("until")
	if len(q.invalid) > 0 {
		return from, until
	}
	if !untilGiven {
		until = tenant.Day(now).AddDate(0, 0, 1)
	}
	if !fromGiven {
		from = until.AddDate(0, 0, -defaultDays)
	}
	switch {
	case untilGiven && !from.Before(until):
		q.addError("until", laterRule("from"))
	case from.After(until):
		q.addError("from", "Must not be later than until, which is tomorrow unless given")
	case until.Sub(from) > time.Duration(most)*24*time.Hour:
		q.addError("from", fmt.Sprintf("Must be at most %d days before until, which is tomorrow unless given", most))
	}
	return from, until
}

func (q *params) day(name string) (at time.Time, given bool) {
	if !q.Has(name) {
		return at, false
	}
	at, err := time.Parse(time.DateOnly, q.Get(name))
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		q.addError(name, "Must be a day in the years 1970 to 9999, such as 2026-01-15")
	}
	return at, true
}

// checkQuery refuses parameters that a route does not know, because an answer that ignores a filter looks like one that
// obeys it, and what is no text.
func checkQuery(raw string, known []string) error {
	if raw == "" {
		return nil
	}
	q, err := url.ParseQuery(raw)
	if err != nil { // dropping what cannot be read would be ignoring it
		return fault.InvalidField("query", fault.Truncate(raw), "Must be a URL-encoded query")
	}
	return checkValues(q, known)
}

// checkValues is checkQuery for parameters that were read.
func checkValues(q url.Values, known []string) error {
	rule := unknownRule(known)
	var invalid []fault.Field
	for name, values := range q {
		switch {
		case !isKnown(known, name):
			field := fault.Field{Field: fault.Truncate(name), Value: fault.Truncate(values[0]), Message: rule}
			invalid = append(invalid, field)
		case len(values) > 1:
			field := fault.Field{Field: name, Value: fault.Truncate(values[1]), Message: onceRule}
			invalid = append(invalid, field)
		case !isText(name) || !isText(values[0]):
			invalid = append(invalid, fault.Field{Field: fault.Truncate(name), Value: fault.Truncate(values[0]),
				Message: "Must be UTF-8 without NUL"})
		}
	}
	if len(invalid) == 0 {
		return nil
	}
	slices.SortFunc(invalid, func(x, y fault.Field) int { return strings.Compare(x.Field, y.Field) })
	return fault.Invalid(invalid)
}

// unknownRule is for a parameter that a route does not know.
func unknownRule(known []string) string {
	if len(known) == 0 {
		return "Unknown parameter: this route takes none"
	}
	return "Unknown parameter: must be one of " + strings.Join(known, ", ")
}

// isText reports whether Postgres can hold s.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// isKnown reports whether a query may hold name. metadataParam stands for every name that begins like it.
func isKnown(known []string, name string) bool {
	return slices.Contains(known, name) && name != metadataParam ||
		len(name) > len(metadataPrefix) && strings.HasPrefix(name, metadataPrefix) && slices.Contains(known, metadataParam)
}
