package process

import (
	"net/http"
	"sync"
	"time"

	"leadgate/shared/webhook"
)

// endpointHealth is how an endpoint fares while several senders make attempts.
type endpointHealth struct {
	url string

	mu     sync.Mutex
	health webhook.Health
	gone   bool // it answered 410, or that it wants nothing more
}

// begin takes the health over that was leased with the endpoint.
func (h *endpointHealth) begin(e *webhook.Endpoint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.url, h.health = e.URL, e.Health
}

// record takes an attempt's result in, and reports whether nothing more may be sent.
func (h *endpointHealth) record(r webhook.Result, now time.Time, random float64, ordered bool,
	retryAt *time.Time) (halt bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.health.Record(r, now, random, ordered, retryAt)
	h.gone = h.gone || r.Status == http.StatusGone || r.Wish == webhook.WishDisable
	return h.gone || h.health.Open()
}

// halted reports whether nothing more may be sent: the breaker is open, or the endpoint is gone.
func (h *endpointHealth) halted() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone || h.health.Open()
}

// now returns the health after all attempts so far.
func (h *endpointHealth) now() webhook.Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.health
}
