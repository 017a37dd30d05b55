package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// Sink takes webhooks for as little processor time as it can, because it shares the cores with what it measures: it
// counts all, keeps none, and verifies a sample. Every path is a subscriber of its own.
type Sink struct {
	URL string // without a path

	hold     time.Duration
	each     func(at time.Time, body []byte)
	listener net.Listener
	closed   chan struct{}
	seed     maphash.Seed

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	verify  map[string]*standardwebhooks.Webhook // by path
	seen    map[uint64]struct{}                  // hashes of path and webhook-id
	count   Count
	refused []string
	target  int           // of distinct deliveries, for which somebody waits
	reached chan struct{} // closed when there are so many
}

// Count is what a Sink took so far.
type Count struct {
	Requests    int
	Arrivals    int // events in them
	Distinct    int // deliveries: by path and the event's id
	Verified    int // requests whose signature was checked, and was right
	First, Last time.Time
}

// Again is how many arrivals were repeats.
func (c Count) Again() int { return c.Arrivals - c.Distinct }

// sample is how many arrivals there are to each one that is verified.
const sample = 100

// NewSink starts a sink that takes hold to answer and passes what arrives to each, from several goroutines; each may be
// nil.
func NewSink(hold time.Duration, each func(at time.Time, body []byte)) (*Sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{URL: "http://" + l.Addr().String(), hold: hold, each: each, listener: l, closed: make(chan struct{}),
		seed:  maphash.MakeSeed(),
		conns: map[net.Conn]struct{}{}, verify: map[string]*standardwebhooks.Webhook{}, seen: map[uint64]struct{}{}}
	go s.accept()
	return s, nil
}

// Close ends the sink, and with it every request it has not answered.
func (s *Sink) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return
	default:
	}
	close(s.closed)
	s.listener.Close()
	for c := range s.conns {
		c.Close()
	}
}

// Subscribe stores e, completed, as an endpoint of workspace at path ("/a") of the sink.
func (s *Sink) Subscribe(ctx context.Context, db *pg.DB, workspace id.UUID, path string,
	e webhook.Endpoint) (webhook.Endpoint, error) {
	if e.Secret == "" {
		e.Secret = webhook.NewSecret()
	}
	v, err := standardwebhooks.NewWebhook(e.Secret)
	if err != nil {
		return e, fmt.Errorf("subscribe: %w", err)
	}
	s.mu.Lock()
	s.verify[path] = v
	s.mu.Unlock()
	e.URL = s.URL + path
	return NewEndpoint(ctx, db, workspace, e)
}

// Count returns what arrived so far.
func (s *Sink) Count() Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Refused returns why webhooks did not verify, ten of them at most.
func (s *Sink) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Await waits until n distinct deliveries have arrived. There can be one waiter at a time.
func (s *Sink) Await(ctx context.Context, n int) error {
	s.mu.Lock()
	reached := make(chan struct{})
	s.target, s.reached = n, reached
	s.notify()
	s.mu.Unlock()
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		c := s.Count()
		return fmt.Errorf("%d of %d deliveries have arrived, the last %v ago", c.Distinct, n,
			time.Since(c.Last).Round(time.Millisecond))
	}
}

// notify wakes Await when enough has arrived; s.mu is held.
func (s *Sink) notify() {
	if s.reached != nil && s.count.Distinct >= s.target {
		close(s.reached)
		s.reached = nil
	}
}

func (s *Sink) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return // it is closed
		}
		if !s.keep(c) {
			c.Close()
			return
		}
		go s.serve(c)
	}
}

// keep remembers a connection for Close; false: that was before.
func (s *Sink) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return false
	default:
		s.conns[c] = struct{}{}
		return true
	}
}

func (s *Sink) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	in := &arriving{r: bufio.NewReaderSize(c, 8<<10)}
	for in.read() == nil {
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		if err := s.take(in); err != nil {
			answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
		}
		if s.hold > 0 {
			select {
			case <-time.After(s.hold):
			case <-s.closed:
				return
			}
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// take counts what has arrived; the error is why a sample does not verify.
func (s *Sink) take(in *arriving) error {
	at := time.Now()
	s.mu.Lock()
	check, known := s.verify[string(in.path)]
	verify := s.count.Requests%sample == 0 || !known
	s.count.Requests++
	s.mu.Unlock()
	if verify {
		if err := in.verify(check); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.refused) < 10 {
				s.refused = append(s.refused, fmt.Sprintf("%s at %s: %v", in.id, in.path, err))
			}
			return err
		}
	}
	if s.each != nil {
		s.each(at, in.body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if verify {
		s.count.Verified++
	}
	if s.count.First.IsZero() {
		s.count.First = at
	}
	for event := range in.events() {
		var h maphash.Hash
		h.SetSeed(s.seed)
		h.Write(in.path)
		h.Write(event)
		key := h.Sum64()
		s.count.Arrivals++
		if _, again := s.seen[key]; !again {
			s.seen[key] = struct{}{}
			s.count.Distinct++
			s.count.Last = at
		}
	}
	s.notify()
	return nil
}

// arriving is one connection's request; its parts are valid until the next.
type arriving struct {
	r                   *bufio.Reader
	path, id, at, signs []byte
	body                []byte
}

// events are the ids of the events in the request: of a batch those of its data, and else the request's own.
func (in *arriving) events() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !bytes.HasPrefix(in.body, []byte(`{"type":"`+webhook.TypeBatch+`"`)) {
			yield(in.id)
			return
		}
		for rest := in.body; ; {
			_, event, ok := bytes.Cut(rest, []byte(`{"id":"evt_`))
			if !ok {
				return
			}
			var one []byte
			if one, rest, ok = bytes.Cut(event, []byte(`"`)); !ok || !yield(one) {
				return
			}
		}
	}
}

func (in *arriving) verify(by *standardwebhooks.Webhook) error {
	if by == nil {
		return errors.New("nobody subscribed with this path")
	}
	h := http.Header{}
	h.Set("webhook-id", string(in.id))
	h.Set("webhook-timestamp", string(in.at))
	h.Set("webhook-signature", string(in.signs))
	return by.Verify(in.body, h)
}

// read reads a request of HTTP/1.1 with a Content-Length, which is what webhooks are.
func (in *arriving) read() error {
	line, err := in.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	_, rest, _ := bytes.Cut(line, []byte(" "))
	path, _, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return fmt.Errorf("request line %q", line)
	}
	in.path, in.id, in.at, in.signs = append(in.path[:0], path...), in.id[:0], in.at[:0], in.signs[:0]
	length := 0
	for {
		if line, err = in.r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("webhook-id")):
			in.id = append(in.id, value...)
		case bytes.EqualFold(name, []byte("webhook-timestamp")):
			in.at = append(in.at, value...)
		case bytes.EqualFold(name, []byte("webhook-signature")):
			in.signs = append(in.signs, value...)
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > 2*webhook.BatchBytes {
				return fmt.Errorf("Content-Length %q", value)
			}
		}
	}
	if cap(in.body) < length {
		in.body = make([]byte, 2*length)
	}
	in.body = in.body[:length]
	_, err = io.ReadFull(in.r, in.body)
	return err
}
