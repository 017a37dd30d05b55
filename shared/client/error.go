package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Error is what the API answers when it refuses a request.
type Error struct {
	Status     int
	Code       string // such as VALIDATION_ERROR; "" when something before the API answered
	Message    string
	RequestID  string
	RetryAfter time.Duration // zero: the API does not say

	Fields         []Field // what is wrong with the request, field by field
	FieldsOmitted  int     // how many more are wrong
	ExistingLeadID string  // of DUPLICATE_EMAIL: the lead that has the email
}

// Field is one field that the API refuses.
type Field struct {
	Field   string // such as "email"
	Pointer string // to the exact place in a JSON body (RFC 6901), "" elsewhere
	Value   any    // what was sent, cut to 200 characters; nil when absent
	Message string // what would be right
}

// Error returns the message and, on a line of its own, each field.
func (e *Error) Error() string {
	text := e.Message
	for _, f := range e.Fields {
		text += "\n  " + f.Field
		if f.Value != nil {
			text += fmt.Sprintf(" %q", fmt.Sprint(f.Value))
		}
		text += ": " + f.Message
	}
	if e.FieldsOmitted > 0 {
		text += fmt.Sprintf("\n  and %d more", e.FieldsOmitted)
	}
	return text
}

// readError reads an answer that is none of success.
func readError(res *http.Response) error {
	e := &Error{Status: res.StatusCode, Message: "the API answered " + res.Status,
		RetryAfter: readRetryAfter(res.Header.Get("Retry-After"), time.Now())}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	var envelope struct {
		Error, Code, RequestID string
		Details                json.RawMessage
	}
	if err != nil || json.Unmarshal(text, &envelope) != nil || envelope.Error == "" {
		return e
	}
	e.Message, e.Code, e.RequestID = envelope.Error, envelope.Code, envelope.RequestID
	var details struct {
		Errors         []Field
		ErrorsOmitted  int
		ExistingLeadID string
	}
	if json.Unmarshal(envelope.Details, &details) == nil { // each code has details of its own; others are not read
		e.Fields, e.FieldsOmitted, e.ExistingLeadID = details.Errors, details.ErrorsOmitted, details.ExistingLeadID
	}
	return e
}

// unreachable is the error of a request that has no whole answer: whether the API did anything is not known.
type unreachable struct{ error }

func (u *unreachable) Unwrap() error { return u.error }
