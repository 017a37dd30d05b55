package webhook

import (
	"fmt"
	"net/http"
	"strings"
)

// ErrorClass is why an attempt failed: a metric's label, and the start of Attempt.Error.
type ErrorClass string

// The classes.
const (
	FailedTimeout    ErrorClass = "timeout"    // no whole answer in time
	FailedDNS        ErrorClass = "dns"        // the name does not resolve
	FailedRefused    ErrorClass = "refused"    // nobody listens there
	FailedTLS        ErrorClass = "tls"        // certificate or handshake
	FailedBlocked    ErrorClass = "blocked"    // an address webhooks must not reach
	FailedConnection ErrorClass = "connection" // broken off, or not HTTP
	FailedStatus     ErrorClass = "status"     // an answer, but not 2xx
	FailedAnswer     ErrorClass = "answer"     // 2xx to a batch, and yet this event of it failed
	FailedInternal   ErrorClass = "internal"   // a fault of ours
)

// WithDetail returns the text for Attempt.Error: the class and a detail.
func (c ErrorClass) WithDetail(detail string) string { return string(c) + ": " + detail }

// StatusError returns the text for Attempt.Error of an answer that is not 2xx.
func StatusError(status int) string {
	words := fmt.Sprint(status)
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		words += ": redirects are not followed"
	}
	return FailedStatus.WithDetail(words)
}

// ClassOf returns the class of Attempt.Error; "" for a success.
func ClassOf(text string) ErrorClass {
	class, _, _ := strings.Cut(text, ":")
	return ErrorClass(class)
}

// Reason returns, for people, why host fails: "503 from hooks.example.com", "timeout at hooks.example.com".
func Reason(text, host string) string {
	class, words, _ := strings.Cut(text, ": ")
	if ErrorClass(class) == FailedStatus {
		status, more, _ := strings.Cut(words, ": ")
		if more != "" {
			more = ": " + more
		}
		return status + " from " + host + more
	}
	return class + " at " + host
}
