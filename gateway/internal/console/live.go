package console

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
)

const (
	pulseEvery  = 700 * time.Millisecond // how often Postgres is asked for a workspace that somebody looks at
	liveFor     = 10 * time.Minute       // a stream; the browser opens the next by itself
	idleLine    = 20 * time.Second       // after which something is written, so that proxies see that it is alive
	tellWithin  = 10 * time.Second       // after that, the last news must have been taken
	maxLive     = 20                     // streams of a workspace
	maxAllLive  = 500                    // streams of a process
	pulseWithin = 2 * time.Second
)

// live tells open pages what has changed. However many pages of a workspace are open, Postgres is asked once.
type live struct {
	pulse func(ctx context.Context, workspace id.UUID) (pg.Pulse, error)

	mu      sync.Mutex
	watched map[id.UUID]*watched
	total   int
}

// watched is a workspace that somebody looks at.
type watched struct {
	stop    context.CancelFunc
	viewers map[chan pg.Pulse]bool
}

func newLive(pulse func(ctx context.Context, workspace id.UUID) (pg.Pulse, error)) *live {
	return &live{pulse: pulse, watched: map[id.UUID]*watched{}}
}

// join adds a viewer, who hears of each change and, of several, of the last; leave ends it.
func (l *live) join(workspace id.UUID) (news chan pg.Pulse, leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.watched[workspace]
	if w != nil && len(w.viewers) >= maxLive || l.total >= maxAllLive {
		return nil, nil, &fault.Error{Kind: fault.RateLimited, RetryAfter: time.Minute,
			Public: "Too many pages are open: this one shows news when it is loaded again"}
	}
	if w == nil {
		ctx, stop := context.WithCancel(context.Background())
		w = &watched{stop: stop, viewers: map[chan pg.Pulse]bool{}}
		l.watched[workspace] = w
		go l.watch(ctx, workspace, w)
	}
	news = make(chan pg.Pulse, 1)
	w.viewers[news] = true
	l.total++
	return news, func() { l.leave(workspace, w, news) }, nil
}

func (l *live) leave(workspace id.UUID, w *watched, news chan pg.Pulse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(w.viewers, news)
	l.total--
	if len(w.viewers) == 0 {
		w.stop()
		delete(l.watched, workspace)
	}
}

// watch asks until nobody looks any more. An answer that does not come is as good as no news.
func (l *live) watch(ctx context.Context, workspace id.UUID, w *watched) {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, pulseWithin)
		p, err := l.pulse(asking, workspace)
		cancel()
		if err == nil {
			l.tell(w, p)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *live) tell(w *watched, p pg.Pulse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for news := range w.viewers {
		select {
		case <-news: // it was not read yet: the new one says more
		default:
		}
		news <- p
	}
}

// liveEvents streams what changes in the session's workspace, as server-sent events: "leads", "submissions",
// "endpoints". They say that something changed, and the page asks what.
func (c *console) liveEvents(w http.ResponseWriter, r *http.Request) error {
	p, _, err := c.authenticate(r)
	if err != nil {
		return err
	}
	news, leave, err := c.live.join(p.WorkspaceID)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), liveFor)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx: pass it on at once
	stream := http.NewResponseController(w)
	_ = stream.SetWriteDeadline(time.Now().Add(liveFor + tellWithin)) // a page that reads nothing does not keep its place
	write := func(text string) bool {
		_, err := fmt.Fprint(w, text)
		return err == nil && stream.Flush() == nil
	}
	if !write("retry: 2000\n\n") {
		return nil
	}
	alive := time.NewTicker(idleLine)
	defer alive.Stop()
	last, known := pg.ParsePulse(seen(r))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.Stopping: // the browser asks again, and finds the next process
			return nil
		case <-alive.C:
			if _, _, err := c.authenticate(r); err != nil || !write(": \n\n") {
				return nil
			}
		case now := <-news:
			if !known {
				last, known = now, true
			}
			for _, name := range now.Changed(last) {
				if !write("event: " + name + "\nid: " + now.String() + "\ndata: \n\n") {
					return nil
				}
			}
			last = now
		}
	}
}

// seen is the pulse of what a page shows: of its last event, or else of when it was made.
func seen(r *http.Request) string {
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		return last
	}
	return r.URL.Query().Get("since")
}

// liveSince is where a page hears what has changed since now. It is asked before anything that the page shows.
func (v *visit) liveSince() string {
	ctx, cancel := context.WithTimeout(v.r.Context(), pulseWithin)
	defer cancel()
	p, err := v.Pulse(ctx, v.principal.WorkspaceID)
	if err != nil {
		return Root + "/live"
	}
	v.held = p.Held
	return Root + "/live?since=" + p.String()
}
