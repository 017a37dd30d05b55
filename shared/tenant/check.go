package tenant

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"leadgate/shared/fault"
)

// MaxStatus is how many characters one of a workspace's statuses may have.
const MaxStatus = 50

// Limits of a workspace's own retry schedule.
const (
	MaxAttempts = 30
	MaxWait     = 24 * 60 * 60 // seconds before an attempt
)

// Bounds of a workspace's target for its deliveries, in milliseconds.
const (
	MinDeliveryTargetMS = 100
	MaxDeliveryTargetMS = 24 * 60 * 60 * 1000
)

// Check returns everything that is wrong with s. Zero fields are valid: they mean the default.
func (s Settings) Check() []fault.Field {
	var wrong []fault.Field
	refuse := func(field, pointer string, value any, format string, args ...any) {
		wrong = append(wrong, fault.Field{Field: field, Pointer: pointer, Value: value, Message: fmt.Sprintf(format,
			args...)})
	}
	if s.Rate < 0 || s.Rate > MaxRate {
		refuse("rate", "/rate", s.Rate, "Must be between 1 and %d requests per second", MaxRate)
	}
	if s.Burst < 0 || s.Burst > 10*MaxRate {
		refuse("burst", "/burst", s.Burst, "Must be between 1 and %d requests", 10*MaxRate)
	}
	if ms := s.DeliveryTargetMS; ms != 0 && (ms < MinDeliveryTargetMS || ms > MaxDeliveryTargetMS) {
		refuse("deliveryTargetMs", "/deliveryTargetMs", ms, "Must be between %d and %d milliseconds, or 0 for none",
			MinDeliveryTargetMS, MaxDeliveryTargetMS)
	}
	wrong = append(wrong, s.checkSchedule()...)
	if len(s.Statuses) > MaxStatuses {
		refuse("statuses", "/statuses", len(s.Statuses), "Must be at most %d statuses", MaxStatuses)
		return wrong
	}
	for i, status := range s.Statuses {
		pointer := fmt.Sprintf("/statuses/%d", i)
		switch n := utf8.RuneCountInString(status); {
		case n == 0 || n > MaxStatus || !utf8.ValidString(status) || strings.ContainsFunc(status, unicode.IsControl):
			refuse("statuses", pointer, fault.Truncate(status), "Must be 1 to %d characters without control characters",
				MaxStatus)
		case slices.ContainsFunc(s.Statuses[:i], func(other string) bool { return strings.EqualFold(other, status) }):
			refuse("statuses", pointer, status, "Must be listed once, in whatever case: a lead's status is taken in any")
		}
	}
	return wrong
}

// checkSchedule checks what the sender relies on: the first attempt is made at once.
func (s Settings) checkSchedule() (wrong []fault.Field) {
	refuse := func(pointer string, value int, format string, args ...any) {
		wrong = append(wrong, fault.Field{Field: "retrySchedule", Pointer: "/retrySchedule" + pointer, Value: value,
			Message: fmt.Sprintf(format, args...)})
	}
	if n := len(s.RetrySchedule); n > MaxAttempts {
		refuse("", n, "Must be at most %d attempts", MaxAttempts)
		return wrong
	}
	for i, wait := range s.RetrySchedule {
		switch {
		case i == 0 && wait != 0:
			refuse("/0", wait, "Must be 0: the first attempt is made at once")
		case wait < 0 || wait > MaxWait:
			refuse(fmt.Sprintf("/%d", i), wait, "Must be between 0 and %d seconds", MaxWait)
		}
	}
	return wrong
}

// ParseScopes reads scopes by name: nil is DefaultScopes, an empty list is refused, one named twice counts once.
func ParseScopes(names []string) ([]Scope, []fault.Field) {
	if names == nil {
		return DefaultScopes(), nil
	}
	if len(names) == 0 {
		return nil, []fault.Field{{Field: "scopes", Pointer: "/scopes", Value: names,
			Message: "Must name at least one scope; leave it out for the default ones"}}
	}
	var scopes []Scope
	var wrong []fault.Field
	for i, name := range names {
		switch scope := Scope(name); {
		case !slices.Contains(Scopes(), scope):
			wrong = append(wrong, fault.Field{Field: "scopes", Pointer: fmt.Sprintf("/scopes/%d", i),
				Value: fault.Truncate(name), Message: "Must be one of: " + scopeNames()})
		case !slices.Contains(scopes, scope):
			scopes = append(scopes, scope)
		}
	}
	if wrong != nil {
		return nil, wrong
	}
	return scopes, nil
}

func scopeNames() string {
	var names []string
	for _, s := range Scopes() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}
