package idempotency

import (
	"encoding/json"
	"net/http"
)

// storable reports whether a repetition of the request gets the answer again: what was made, or found. It does not
// where it could get a better one.
func storable(status int) bool {
	return status >= http.StatusOK && status < http.StatusBadRequest || status == http.StatusConflict
}

// madeNothing reports whether the answer tells of a mistake: the key is free, also for a request that is mended.
func madeNothing(status int) bool {
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusConflict
}

// storedHeaders are the header fields that belong to an answer and not to one sending of it.
var storedHeaders = [...]string{"Content-Type", "Location", "Etag"}

func storedHeader(h http.Header) []byte {
	stored := map[string]string{}
	for _, name := range storedHeaders {
		if v := h.Get(name); v != "" {
			stored[name] = v
		}
	}
	b, _ := json.Marshal(stored) // strings never fail
	return b
}

// recorder holds an answer back until it is stored.
type recorder struct {
	http.ResponseWriter
	status int
	body   []byte
}

// WriteHeader records the first final status.
func (a *recorder) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

// Write records a part of the body.
func (a *recorder) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.body = append(a.body, b...)
	return len(b), nil
}

func (a *recorder) send() {
	if a.status == 0 {
		return
	}
	a.ResponseWriter.WriteHeader(a.status)
	_, _ = a.ResponseWriter.Write(a.body) // a failed write means that the client has left
}

// discard removes the header of an answer that is not sent.
func (a *recorder) discard() {
	for _, name := range storedHeaders {
		a.Header().Del(name)
	}
}
