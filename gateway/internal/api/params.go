package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/webhook"
)

// Sizes of pages.
const (
	defaultPage = 50
	maxPage     = 200
)

// params reads a request's parameters and collects what is wrong with them.
type params struct {
	url.Values
	wrong []fault.Field
}

func readParams(r *http.Request) *params { return &params{Values: r.URL.Query()} }

func (q *params) refuse(name, message string) {
	q.wrong = append(q.wrong, fault.Field{Field: name, Value: fault.Truncate(q.Get(name)), Message: message})
}

// err returns every mistake as one VALIDATION_ERROR, or nil.
func (q *params) err() error {
	if len(q.wrong) == 0 {
		return nil
	}
	return fault.Invalid(q.wrong)
}

// limit reads how many rows a page has.
func (q *params) limit() int {
	if !q.Has("limit") {
		return defaultPage
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || n < 1 || n > maxPage {
		q.refuse("limit", fmt.Sprintf("Must be a whole number between 1 and %d", maxPage))
	}
	return n
}

// cursor reads the nextCursor of the page before; zero: this is the first.
func (q *params) cursor(prefix id.Prefix) id.UUID {
	return q.parse("cursor", prefix, "Must be the nextCursor of an earlier answer")
}

// id reads the id of a thing; zero: there is none.
func (q *params) id(name string, prefix id.Prefix, thing string) id.UUID {
	return q.parse(name, prefix, idRule(prefix, thing))
}

func (q *params) parse(name string, prefix id.Prefix, rule string) (u id.UUID) {
	if !q.Has(name) {
		return u
	}
	u, err := prefix.Parse(q.Get(name))
	if err != nil {
		q.refuse(name, rule)
	}
	return u
}

// states reads a list of states between commas.
func (q *params) states() (states []webhook.State) {
	if !q.Has("state") {
		return nil
	}
	for text := range strings.SplitSeq(q.Get("state"), ",") {
		if s := webhook.State(text); slices.Contains(webhook.States(), s) {
			states = append(states, s)
			continue
		}
		q.refuse("state", "Must be one or more of "+join(webhook.States(), ", ")+", with commas between them")
		return nil
	}
	slices.Sort(states)
	return slices.Compact(states)
}

// eventType reads one type of events.
func (q *params) eventType(name string) string {
	if !q.Has(name) {
		return ""
	}
	if !slices.Contains(shownTypes(), q.Get(name)) {
		q.refuse(name, typeRule())
	}
	return q.Get(name)
}

// times reads the two ends of a time.
func (q *params) times() (from, until time.Time) {
	from, until = q.time("from"), q.time("until")
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		q.refuse("until", laterRule)
	}
	return from, until
}

func (q *params) time(name string) (at time.Time) {
	if !q.Has(name) {
		return at
	}
	at, ok := parseTime(q.Get(name))
	if !ok {
		q.refuse(name, timeRule+" (a + in a URL is written %2B)")
	}
	return at
}

// parseTime reads a time that ids and answers can hold; zero where that cannot be.
func parseTime(text string) (at time.Time, ok bool) {
	at, err := time.Parse(time.RFC3339, text)
	if at = at.UTC(); err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return time.Time{}, false
	}
	return at, true
}

const (
	timeRule  = "Must be a time (RFC 3339) of the years 1970 to 9999 in UTC, such as 2026-01-15T10:30:00Z"
	laterRule = "Must be later than from"
)

func idRule(prefix id.Prefix, thing string) string {
	return "Must be the id of a " + thing + ", which begins with " + string(prefix)
}

// shownTypes are the types of events there can be.
func shownTypes() []string { return append(webhook.EventTypes(), webhook.WebhookTest) }

func typeRule() string { return "Must be one of: " + strings.Join(shownTypes(), ", ") }

func join[T ~string](all []T, between string) string {
	var b strings.Builder
	for i, s := range all {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(string(s))
	}
	return b.String()
}

// pathID reads the id that the path names; a malformed one names nothing.
func pathID(text string, prefix id.Prefix, thing string) (id.UUID, error) {
	u, err := prefix.Parse(text)
	if err != nil {
		return u, fault.New(fault.NotFound, thing+" not found")
	}
	return u, nil
}

// checkQuery refuses parameters a route does not know: an answer that ignores a filter looks like one that obeys it.
func checkQuery(raw string, known []string) error {
	if raw == "" {
		return nil
	}
	q, err := url.ParseQuery(raw)
	if err != nil { // leaving out what cannot be read would be ignoring it
		return fault.InvalidField("query", fault.Truncate(raw), "Must be a URL-encoded query")
	}
	rule := "Unknown parameter: there are none here"
	if len(known) > 0 {
		rule = "Unknown parameter: must be one of " + strings.Join(known, ", ")
	}
	var wrong []fault.Field
	for name, values := range q {
		switch {
		case !knows(known, name):
			wrong = append(wrong, fault.Field{Field: fault.Truncate(name), Value: fault.Truncate(values[0]), Message: rule})
		case len(values) > 1:
			wrong = append(wrong, fault.Field{Field: name, Value: fault.Truncate(values[1]), Message: "Must be given once"})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.SortFunc(wrong, func(x, y fault.Field) int { return strings.Compare(x.Field, y.Field) })
	return fault.Invalid(wrong)
}
