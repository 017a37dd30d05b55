package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// receiver is a webhook subscriber on loopback that notes when it first saw which event of which email.
type receiver struct {
	addr string
	stop func()

	mu   sync.Mutex
	seen map[string]time.Time // "lead.created a@example.com"
	more chan struct{}
}

func receive() (*receiver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{addr: "http://" + l.Addr().String() + "/hook", seen: map[string]time.Time{}, more: make(chan struct{}, 1)}
	s := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go s.Serve(l)
	r.stop = func() { s.Close() }
	return r, nil
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := time.Now()
	var e struct {
		Type string
		Data struct{ Email string }
	}
	if err := json.NewDecoder(io.LimitReader(req.Body, 1<<20)).Decode(&e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	if _, again := r.seen[e.Type+" "+e.Data.Email]; !again {
		r.seen[e.Type+" "+e.Data.Email] = at
	}
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// at returns when event of email arrived, waiting for it.
func (r *receiver) at(ctx context.Context, event, email string) (time.Time, error) {
	for {
		r.mu.Lock()
		at, ok := r.seen[event+" "+email]
		r.mu.Unlock()
		if ok {
			return at, nil
		}
		select {
		case <-r.more:
		case <-ctx.Done():
			return at, fmt.Errorf("%s of %s did not arrive", event, email)
		}
	}
}

// delivery measures, on an otherwise idle system, the time from sending a lead to the webhook's arrival.
func (b *bench) delivery(ctx context.Context) error {
	const leads, pause = 100, 100 * time.Millisecond
	r, err := receive()
	if err != nil {
		return err
	}
	defer r.stop()
	if err := b.subscribe(ctx, r.addr); err != nil {
		return err
	}
	c, err := dial(strings.TrimPrefix(b.URL, "http://"))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	run := b.nextRun()
	delays := map[string][]time.Duration{}
	for n := range int64(leads) {
		start := time.Now()
		body := leadBody(nil, run, n)
		if status, err := c.post("/api/v1/leads", b.Key, body); err != nil || status != 201 {
			return fmt.Errorf("post: %d, %v", status, err)
		}
		var sent struct{ Email string }
		if err := json.Unmarshal(body, &sent); err != nil {
			return err
		}
		for _, event := range []string{"lead.created", "lead.enriched"} {
			at, err := r.at(ctx, event, sent.Email)
			if err != nil {
				return err
			}
			delays[event] = append(delays[event], at.Sub(start))
		}
		time.Sleep(pause)
	}
	for _, event := range []string{"lead.created", "lead.enriched"} {
		d := slices.Sorted(slices.Values(delays[event]))
		b.printf("%-13s after the POST: p50 %v  p99 %v  (%d leads, one at a time)", event, d[len(d)/2].Round(100*time.Microsecond), d[len(d)*99/100].Round(100*time.Microsecond), leads)
	}
	return nil
}

func (b *bench) subscribe(ctx context.Context, url string) error {
	body, err := json.Marshal(map[string]any{"url": url})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", b.URL+"/api/v1/webhooks", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+b.Key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
		return fmt.Errorf("subscribe: %s: %s", res.Status, text)
	}
	return nil
}
