package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
)

// The slowest transfer of whoever has most places gives way, at once where that makes it fairer, and after a while
// where each has one.
func TestWhoGivesWay(t *testing.T) {
	t.Parallel()
	a, b, c, d := id.New(), id.New(), id.New(), id.New()
	type held struct {
		workspace id.UUID
		age       time.Duration
		bytes     int64
	}
	for _, v := range []struct {
		name  string
		held  []held
		comes id.UUID
		want  int // place in held that is given up; -1: none
	}{
		{"the slowest of whoever has most", []held{{a, time.Minute, 10}, {b, time.Minute, 900}, {b, time.Minute, 500}}, c, 2},
		{"a new one is not slow", []held{{b, time.Second, 800}, {b, time.Minute, 500}, {a, time.Minute, 900}}, c, 1},
		{"not for one that would have more", []held{{a, time.Hour, 10}, {b, time.Hour, 20}, {b, time.Hour, 30}}, a, -1},
		{"not among equals", []held{{a, time.Minute, 10}, {b, time.Minute, 20}, {c, time.Minute, 30}}, d, -1},
		{"the slowest of old equals", []held{{a, time.Minute, 10}, {b, time.Hour, 70_000}, {c, time.Hour, 60_000}}, d, 2},
		{"not for another of one's own", []held{{a, time.Hour, 10}, {b, time.Hour, 20}, {c, time.Hour, 30}}, a, -1},
	} {
		t.Run(v.name, func(t *testing.T) {
			p := &places{perKey: 3, total: len(v.held), noun: "uploads", window: 30 * time.Second}
			gone := -1
			for i, h := range v.held {
				tr := newTransfer(h.workspace, p.window, func() { gone = i })
				tr.begin = tr.begin.Add(-h.age)
				tr.bytes.Store(h.bytes)
				p.taken = append(p.taken, tr)
			}
			before := p.taken[max(v.want, 0)]
			_, release, err := p.take(v.comes, nil)
			if gone != v.want || fault.Is(err, fault.Unavailable) != (v.want < 0) || len(p.taken) != p.total {
				t.Fatalf("%d gave way, %v, %d places taken, want %d and %d", gone, err, len(p.taken), v.want, p.total)
			}
			if v.want < 0 {
				return
			}
			_, err = before.move(func(time.Time) error { return nil }, func() (int, error) { return 0, errors.New("moved") })
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("what gave way goes on: %v", err)
			}
			if release(); len(p.taken) != p.total-1 {
				t.Errorf("%d places taken after the release, want %d", len(p.taken), p.total-1)
			}
		})
	}
}

// An export that nobody reads gives way while it waits for its client.
func TestStreamGivesWay(t *testing.T) {
	t.Parallel()
	p := &places{perKey: 2, total: 2, noun: "exports", window: time.Minute}
	ended := make(chan error, 2)
	owner := id.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tr, release, err := p.take(owner, interruptWrite(w))
		for err == nil {
			err = tr.send(w, make([]byte, streamPiece))
		}
		release()
		ended <- err
	}))
	defer server.Close()
	for range 2 {
		res, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
	}
	_, release, err := p.take(id.New(), nil)
	if err != nil {
		t.Fatalf("take() = %v, want the place of the slowest", err)
	}
	defer release()
	if err := <-ended; !fault.Is(err, fault.Unavailable) {
		t.Errorf("the export that gave way ended with %v", err)
	}
}
