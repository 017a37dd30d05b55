package httpx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"leadgate/shared/fault"
)

const jsonType = "application/json; charset=utf-8"

// Data answers {"success":true,"data":...}.
func Data(w http.ResponseWriter, status int, data any) error {
	return write(w, status, struct {
		Success bool `json:"success"`
		Data    any  `json:"data"`
	}{true, data})
}

// Paged begins the answer of a page; one that has more beside its data embeds it.
type Paged struct {
	Success    bool    `json:"success"`
	Data       any     `json:"data"`
	NextCursor *string `json:"nextCursor"`
}

// NewPaged returns the beginning of a page; next "" is null: there are no more.
func NewPaged(data any, next string) Paged {
	p := Paged{Success: true, Data: data}
	if next != "" {
		p.NextCursor = &next
	}
	return p
}

// Page answers {"success":true,"data":[...],"nextCursor":...}; next "" is null: there are no more.
func Page(w http.ResponseWriter, data any, next string) error {
	return Answer(w, NewPaged(data, next))
}

// Answer answers a body that embeds Paged.
func Answer(w http.ResponseWriter, body any) error { return write(w, http.StatusOK, body) }

const (
	rawOpen  = `{"success":true,"data":`
	rawClose = "}\n" // with a line end, as encoding/json writes it too
)

// RawData is Data of what is JSON already.
func RawData(w http.ResponseWriter, status int, data []byte) error {
	if err := chargeAnswer(w, len(data)); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Content-Length", strconv.Itoa(len(rawOpen)+len(data)+len(rawClose)))
	w.WriteHeader(status)
	// A failed write means the client has left; there is nobody to tell.
	_, _ = w.Write([]byte(rawOpen))
	_, _ = w.Write(data)
	_, _ = w.Write([]byte(rawClose))
	return nil
}

// write encodes first and sends after, so that what cannot be encoded is still an INTERNAL in the envelope.
func write(w http.ResponseWriter, status int, body any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // JSON is never embedded in a page here, and "a&b" should read so
	if err := enc.Encode(body); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	if err := chargeAnswer(w, b.Len()); err != nil {
		return err
	}
	send(w, status, b.Bytes())
	return nil
}

func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a failed write means the client has left
}

// failure is the error envelope, keys in the contract's order.
type failure struct {
	Success   bool       `json:"success"`
	Error     string     `json:"error"`
	Code      fault.Kind `json:"code"`
	Details   any        `json:"details,omitempty"`
	Visitor   any        `json:"visitor,omitempty"`
	RequestID string     `json:"requestId,omitempty"`
}

// writeFault sends the envelope of f; x may be nil.
func writeFault(w http.ResponseWriter, x *exchange, f *fault.Error) {
	status := f.Kind.Status()
	h := w.Header()
	if f.RetryAfter > 0 || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		h.Set("Retry-After", seconds(f.RetryAfter))
	}
	if status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" { // a page for browsers asks in its own way
		h.Set("WWW-Authenticate", "Bearer")
	}
	if x != nil && x.page != nil {
		x.page(w, f, x.id)
		return
	}
	requestID := ""
	if x != nil {
		requestID = x.id
	}
	WriteFault(w, f, requestID, nil)
}

// WriteFault sends the envelope of f; visitor is what it has besides, nil: nothing.
func WriteFault(w http.ResponseWriter, f *fault.Error, requestID string, visitor any) {
	body := failure{Error: f.Public, Code: f.Kind, Details: f.Details, Visitor: visitor, RequestID: requestID}
	if err := write(w, f.Kind.Status(), body); err != nil {
		body.Details = nil // only details can fail to encode
		_ = write(w, f.Kind.Status(), body)
	}
}

// seconds is a wait as Retry-After tells it: whole seconds, rounded up, at least one.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}
