package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxWebhook is how much of a webhook is read, in bytes. A batch has 1 MiB, an event alone less.
const maxWebhook = 2 << 20

// Receiver is a handler that takes webhooks, alone and in batches. Both functions are required.
type Receiver struct {
	// Verify checks the signature of a body, such as the method of that name of a Standard Webhooks library.
	Verify func(body []byte, h http.Header) error
	// Handle takes one event. With an error it is to come again; it may do so without one, with the same ID.
	Handle func(ctx context.Context, e Event) error

	// Ordered passes no event of a batch to Handle after one that failed: these come again too, in order. It is for an
	// endpoint with MaxInFlight 1.
	Ordered bool
}

// ServeHTTP answers 204 where every event is taken, 500 where none is, and else names those that failed.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxWebhook))
	if err == nil {
		err = r.Verify(body, req.Header)
	}
	var events []Event
	if err == nil {
		events, err = WebhookEvents(req.Header, body)
	}
	if err != nil {
		http.Error(w, "the webhook cannot be verified and read", http.StatusBadRequest)
		return
	}
	var failed []string
	for _, e := range events {
		if r.Ordered && len(failed) > 0 || r.Handle(req.Context(), e) != nil {
			failed = append(failed, e.ID)
		}
	}
	switch len(failed) {
	case 0:
		w.WriteHeader(http.StatusNoContent)
	case len(events):
		http.Error(w, "not taken", http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(struct { // where it does not arrive, all come again
			Failed []string `json:"failed"`
		}{failed})
	}
}

// WebhookEvents returns the events of a webhook, one or those of a batch, in order. It does not verify the signature.
func WebhookEvents(h http.Header, body []byte) ([]Event, error) {
	type member struct {
		ID, Type  string
		Timestamp time.Time
		Data      json.RawMessage
	}
	var one member
	if err := json.Unmarshal(body, &one); err != nil {
		return nil, fmt.Errorf("read webhook: %w", err)
	}
	one.ID = h.Get("Webhook-Id")
	all := []member{one}
	if one.Type == "batch" {
		all = nil
		if err := json.Unmarshal(one.Data, &all); err != nil {
			return nil, fmt.Errorf("read batch: %w", err)
		}
	}
	events := make([]Event, len(all))
	for i, m := range all {
		if m.ID == "" || m.Type == "" {
			return nil, errors.New("read webhook: an event has no id or no type")
		}
		events[i] = Event{ID: m.ID, Type: m.Type, CreatedAt: m.Timestamp, Data: m.Data}
	}
	return events, nil
}
