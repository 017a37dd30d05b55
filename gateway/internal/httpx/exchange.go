package httpx

import (
	"log/slog"
	"net/http"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/trace"
)

// exchange is what the edge knows of one request; it is also the ResponseWriter handlers get. One goroutine owns it.
type exchange struct {
	http.ResponseWriter
	id     string
	route  string // template of the matched route
	status int    // 0 until the head is out
	bytes  int64  // of the body sent
	fault  *fault.Error
	torn   bool // a panic after the head was out
	notes  []slog.Attr
	span   *trace.Span                                                   // nil: nobody follows the request
	page   func(w http.ResponseWriter, f *fault.Error, requestID string) // nil: errors go out in the envelope

	reads   bool                   // the request changes nothing
	memory  *limit.Budget[id.UUID] // nil: nothing is charged
	payer   id.UUID                // the workspace; zero: it is not known yet
	charged int64                  // bytes
}

type exchangeKey struct{}

// of returns the request's exchange; nil outside Edge.Wrap.
func of(r *http.Request) *exchange {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return x
}

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 { // 1xx come before the answer
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b)
	x.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *exchange) note(key string, value any) { x.notes = append(x.notes, slog.Any(key, value)) }

// failure is what is kept of an answer of 500 or above.
func (x *exchange) failure(listener, method string, took time.Duration) Failure {
	f := Failure{At: time.Now().UTC(), RequestID: x.id, Listener: listener, Method: method, Route: x.route, Status: x.status,
		Millis: float64(took.Microseconds()) / 1000}
	if x.fault != nil {
		f.Code = string(x.fault.Kind)
	}
	for _, note := range x.notes {
		if note.Key == "workspace" {
			f.WorkspaceID = note.Value.String()
		}
	}
	return f
}

// AddLogField adds a field to the request's log line. No personal data, no secrets.
func AddLogField(r *http.Request, key string, value any) {
	if x := of(r); x != nil {
		x.note(key, value)
	}
}

// FailAs makes an error of this request go out as page writes it, instead of in the envelope; Retry-After is set
// already.
func FailAs(r *http.Request, page func(w http.ResponseWriter, f *fault.Error, requestID string)) {
	if x := of(r); x != nil {
		x.page = page
	}
}

// maxClientID is how long a client's own request id may be to be logged.
const maxClientID = 64

// sanitise returns a client's own request id when it is fit for a log, else "".
func sanitise(s string) string {
	if len(s) > maxClientID {
		return ""
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return ""
		}
	}
	return s
}
