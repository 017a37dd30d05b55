package loadgen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/client"
	"leadgate/shared/webhook"
)

// LeadEvents returns the types of the events that each new lead causes.
func LeadEvents() []string { return []string{webhook.LeadCreated, webhook.LeadEnriched} }

// Event is the payload of a webhook.
type Event struct {
	Type string
	Data struct {
		ID         string
		Email      string
		Enrichment json.RawMessage
	}
}

// Arrival is when an event of a lead arrived first, and how often it did.
type Arrival struct {
	Event
	First time.Time
	Times int
}

// Receiver is a webhook subscriber on loopback. It takes only what the Standard Webhooks project's own library
// verifies.
type Receiver struct {
	URL string

	server *http.Server
	hold   time.Duration // before it answers

	mu      sync.Mutex
	verify  *standardwebhooks.Webhook
	seen    map[arrivalKey]*Arrival
	refused []string // why, for the first few
	times   int      // all arrivals
	last    time.Time
	stall   time.Duration
	changed chan struct{} // closed and renewed at each arrival
}

type arrivalKey struct{ event, lead string }

// Receive starts a receiver that takes hold to answer.
func Receive(hold time.Duration) (*Receiver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Receiver{URL: "http://" + l.Addr().String() + "/hook", hold: hold, seen: map[arrivalKey]*Arrival{},
		changed: make(chan struct{})}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go r.server.Serve(l)
	return r, nil
}

// Close ends the receiver.
func (r *Receiver) Close() { r.server.Close() }

// Subscribe makes an endpoint for the receiver, with the API at url; no types means all there are.
func (r *Receiver) Subscribe(ctx context.Context, url, key string, types ...string) error {
	return r.SubscribeWith(ctx, url, key, client.NewWebhook{EventTypes: types})
}

// SubscribeWith is Subscribe for an endpoint that asks for more than types of events.
func (r *Receiver) SubscribeWith(ctx context.Context, url, key string, w client.NewWebhook) error {
	c := client.New(client.Options{URL: url, Key: key})
	defer c.Close()
	w.URL = r.URL
	made, err := c.CreateWebhook(ctx, w)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if made.Secret == "" { // which the library would take for a key
		return errors.New("subscribe: no secret in the answer")
	}
	verify, err := standardwebhooks.NewWebhook(made.Secret)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verify = verify
	return nil
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := time.Now()
	if r.hold > 0 {
		select {
		case <-time.After(r.hold):
		case <-req.Context().Done():
			return
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 2<<20))
	if err == nil {
		err = r.take(at, req.Header, body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (r *Receiver) take(at time.Time, h http.Header, body []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var events []client.Event
	err := errors.New("not subscribed yet")
	if r.verify != nil {
		err = r.verify.Verify(body, h)
	}
	if err == nil {
		events, err = client.WebhookEvents(h, body)
	}
	arrived := make([]Event, len(events))
	for i := range events {
		arrived[i].Type = events[i].Type
		err = errors.Join(err, json.Unmarshal(events[i].Data, &arrived[i].Data))
	}
	if err != nil {
		if len(r.refused) < 10 {
			r.refused = append(r.refused, fmt.Sprintf("%s: %v", h.Get("webhook-id"), err))
		}
		return err
	}
	if !r.last.IsZero() {
		r.stall = max(r.stall, at.Sub(r.last))
	}
	r.last = at
	for _, e := range arrived {
		k := arrivalKey{e.Type, e.Data.ID}
		if r.seen[k] == nil {
			r.seen[k] = &Arrival{Event: e, First: at}
		}
		r.seen[k].Times++
		r.times++
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

// Wait returns the event of a lead when it has arrived.
func (r *Receiver) Wait(ctx context.Context, event, lead string) (Arrival, error) {
	for {
		r.mu.Lock()
		a, changed := r.seen[arrivalKey{event, lead}], r.changed
		if a != nil {
			defer r.mu.Unlock()
			return *a, nil
		}
		r.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Arrival{}, fmt.Errorf("%s of %s did not arrive", event, lead)
		}
	}
}

// Count is how many events arrived so far, and how many different ones.
func (r *Receiver) Count() (arrivals, distinct int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.times, len(r.seen)
}

// WaitFor waits until n events, each counted once, have arrived, and reports whether that came before ctx ended.
func (r *Receiver) WaitFor(ctx context.Context, n int) bool {
	for {
		r.mu.Lock()
		have, changed := len(r.seen), r.changed
		r.mu.Unlock()
		if have >= n {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// Arrivals copies what has arrived so far, by event type and lead id.
func (r *Receiver) Arrivals() map[string]map[string]Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]map[string]Arrival{}
	for k, a := range r.seen {
		if all[k.event] == nil {
			all[k.event] = map[string]Arrival{}
		}
		all[k.event][k.lead] = *a
	}
	return all
}

// Refused returns why webhooks did not verify, ten of them at most.
func (r *Receiver) Refused() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// Stall is the longest time between two arrivals.
func (r *Receiver) Stall() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stall
}
