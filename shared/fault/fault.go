// Package fault is the one error type that crosses rooms: a kind, a text the client may read, a cause it may not.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the error code of the public envelope.
type Kind string

// The kinds; Status maps each to its HTTP status.
const (
	Validation      Kind = "VALIDATION_ERROR"
	Duplicate       Kind = "DUPLICATE_EMAIL"
	DuplicatePhone  Kind = "DUPLICATE_PHONE" // of a lead without an email
	Suppressed      Kind = "EMAIL_SUPPRESSED"
	SuppressedPhone Kind = "PHONE_SUPPRESSED"
	Conflict        Kind = "CONFLICT"
	Precondition    Kind = "PRECONDITION_FAILED"
	KeyMismatch     Kind = "IDEMPOTENCY_MISMATCH"    // the key came with another request before
	KeyInProgress   Kind = "IDEMPOTENCY_IN_PROGRESS" // the first request with the key is being worked on
	Unauthorized    Kind = "UNAUTHORIZED"
	Forbidden       Kind = "FORBIDDEN"
	NotFound        Kind = "NOT_FOUND"
	ChatbotNotFound Kind = "CHATBOT_NOT_FOUND"
	MethodNotAllow  Kind = "METHOD_NOT_ALLOWED"
	Timeout         Kind = "REQUEST_TIMEOUT" // the client was too slow
	TooLarge        Kind = "PAYLOAD_TOO_LARGE"
	MediaType       Kind = "UNSUPPORTED_MEDIA_TYPE"
	RateLimited     Kind = "RATE_LIMITED"
	Internal        Kind = "INTERNAL"
	Unavailable     Kind = "UNAVAILABLE"

	WorkspaceSuspended Kind = "WORKSPACE_SUSPENDED"
)

// statuses is the only table from kind to HTTP status.
var statuses = map[Kind]int{
	Validation: 400, Unauthorized: 401, Forbidden: 403, WorkspaceSuspended: 403, NotFound: 404, ChatbotNotFound: 404,
	MethodNotAllow: 405, Timeout: 408, Duplicate: 409, DuplicatePhone: 409, Suppressed: 409, SuppressedPhone: 409,
	Conflict: 409, KeyInProgress: 409,
	Precondition: 412, TooLarge: 413, MediaType: 415, KeyMismatch: 422,
	RateLimited: 429, Internal: 500, Unavailable: 503,
}

// Status returns the HTTP status of k; an unknown kind is a 500.
func (k Kind) Status() int {
	if s, ok := statuses[k]; ok {
		return s
	}
	return 500
}

// IsDuplicate reports whether err says that another lead has the email, or the phone.
func IsDuplicate(err error) bool { return Is(err, Duplicate) || Is(err, DuplicatePhone) }

// IsSuppressed reports whether err says that the email, or the phone, may not come back.
func IsSuppressed(err error) bool { return Is(err, Suppressed) || Is(err, SuppressedPhone) }

// Error carries what a client may see (Public, Details, RetryAfter) apart from what only the log may (Cause).
type Error struct {
	Kind       Kind
	Public     string        // one sentence for the client
	Details    any           // marshalled as "details"; nil leaves it out
	RetryAfter time.Duration // 0 sends no Retry-After
	Cause      error         // never shown to a client
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Kind, e.Public, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Public)
}

func (e *Error) Unwrap() error { return e.Cause }

// New makes an error a client may see.
func New(kind Kind, public string) *Error { return &Error{Kind: kind, Public: public} }

// Wrap makes an error with a private cause.
func Wrap(kind Kind, public string, cause error) *Error {
	return &Error{Kind: kind, Public: public, Cause: cause}
}

// StoreUnavailable is the error of a store that cannot be reached: UNAVAILABLE, try again after retry.
func StoreUnavailable(cause error, retry time.Duration) *Error {
	return &Error{Kind: Unavailable, Public: "Temporarily unavailable, please retry", RetryAfter: retry, Cause: cause}
}

// From returns err as an *Error; anything else becomes INTERNAL with err as its private cause.
func From(err error) *Error {
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	return Wrap(Internal, "Internal error", err)
}

// Is reports whether err carries kind.
func Is(err error, kind Kind) bool {
	var f *Error
	return errors.As(err, &f) && f.Kind == kind
}

// Field is one mistake in a request: where it is, what was sent, and what would be right.
type Field struct {
	Field   string `json:"field"`             // the name a person uses: "email", "metadata"
	Pointer string `json:"pointer,omitempty"` // RFC 6901 pointer to the exact place: "/metadata/tags/0"
	Value   any    `json:"value"`             // what was sent, cut to 200 characters; null when absent
	Message string `json:"message"`           // what would be right
}

// MaxFields is how many mistakes are told: a body full of them must not make an answer many times its size.
const MaxFields = 20

// Invalid makes a VALIDATION_ERROR from fields, which must not be empty: the first is told as the contract has it, the
// first MaxFields are in "errors", the rest is counted.
func Invalid(fields []Field) *Error {
	told := fields[:min(len(fields), MaxFields)]
	return InvalidFew(told, len(fields)-len(told))
}

// InvalidFew is Invalid where fields are all that are told, and there are more that were only counted.
func InvalidFew(fields []Field, more int) *Error {
	first := fields[0]
	return &Error{Kind: Validation, Public: "Validation failed", Details: mistakes{first.Field, first.Value, first.Message,
		fields, more}}
}

type mistakes struct {
	Field   string  `json:"field"`
	Value   any     `json:"value"`
	Message string  `json:"message"`
	Errors  []Field `json:"errors"`
	Omitted int     `json:"errorsOmitted,omitempty"`
}

// Fields returns the mistakes that a VALIDATION_ERROR tells; nil for other errors.
func (e *Error) Fields() []Field {
	m, _ := e.Details.(mistakes)
	return m.Errors
}

// InvalidField makes a VALIDATION_ERROR of one field.
func InvalidField(field string, value any, message string) *Error {
	return Invalid([]Field{{Field: field, Value: value, Message: message}})
}

// MaxValue is how many characters of a wrong value are told back.
const MaxValue = 200

// Truncate returns s, or its first MaxValue characters, as what Field.Value tells back.
func Truncate(s string) string { return TruncateTo(s, MaxValue) }

// TruncateTo returns s, or its first limit characters.
func TruncateTo(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for i := range s {
		if limit == 0 {
			return s[:i]
		}
		limit--
	}
	return s
}
