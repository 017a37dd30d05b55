package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"leadgate/shared/fault"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	for kind, want := range map[fault.Kind]int{
		fault.Validation: 400, fault.Unauthorized: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.ChatbotNotFound: 404,
		fault.MethodNotAllow: 405,
		fault.Timeout:        408, fault.Duplicate: 409, fault.Conflict: 409, fault.TooLarge: 413, fault.MediaType: 415,
		fault.RateLimited: 429, fault.Internal: 500, fault.Unavailable: 503,
		"SOMETHING_ELSE": 500,
	} {
		t.Run(fmt.Sprint(kind), func(t *testing.T) {
			if got := kind.Status(); got != want {
				t.Errorf("%s.Status() = %d, want %d", kind, got, want)
			}
		})
	}
}

func TestFromKeepsTheCausePrivate(t *testing.T) {
	t.Parallel()
	away := fmt.Errorf("insert leads: %w", fault.StoreUnavailable(context.DeadlineExceeded, time.Second))
	if got := fault.From(away); got.Kind != fault.Unavailable || got.RetryAfter != time.Second || !fault.Is(away,
		fault.Unavailable) || !errors.Is(away, context.DeadlineExceeded) {
		t.Errorf("From(%v) = %+v, want the UNAVAILABLE that is wrapped", away, got)
	}
	got := fault.From(errors.New("password=hunter2"))
	if got.Kind != fault.Internal || strings.Contains(got.Public, "hunter2") || !strings.Contains(got.Error(), "hunter2") {
		t.Errorf("From(a plain error) = %+v, want INTERNAL with the error only as its cause", got)
	}
	if fault.Is(errors.New("plain"), fault.Internal) || fault.Is(nil, fault.Internal) {
		t.Error("Is() of an error without a kind = true, want false")
	}
}

func TestInvalidHasTheContractsForm(t *testing.T) {
	t.Parallel()
	err := fault.Invalid([]fault.Field{
		{Field: "email", Pointer: "/email", Value: "invalid-email", Message: "Must be a valid email address"},
		{Field: "name", Pointer: "/name", Value: nil, Message: "Must be a string"},
	})
	got, _ := json.Marshal(err.Details)
	const want = `{"field":"email","value":"invalid-email","message":"Must be a valid email address","errors":[` +
		`{"field":"email","pointer":"/email","value":"invalid-email","message":"Must be a valid email address"},` +
		`{"field":"name","pointer":"/name","value":null,"message":"Must be a string"}]}`
	if string(got) != want || err.Public != "Validation failed" || err.Kind != fault.Validation {
		t.Errorf("Invalid() = %s %q with details\n%s, want\n%s", err.Kind, err.Public, got, want)
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "short": "short", strings.Repeat("é", 200): strings.Repeat("é", 200), strings.Repeat("é",
			201): strings.Repeat("é", 200),
		strings.Repeat("a", 300): strings.Repeat("a", 200),
	} {
		t.Run(in, func(t *testing.T) {
			if got := fault.Truncate(in); got != want {
				t.Errorf("Truncate(%d bytes) = %d bytes, want %d", len(in), len(got), len(want))
			}
		})
	}
}
