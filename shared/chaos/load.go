package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"leadgate/shared/loadgen"
)

// answer is what came of one post.
type answer struct {
	email      int    // its number
	status     int    // 0: none
	lead       string // a 201's new lead, or the one a 409 names
	retryAfter bool
	read       int // a 409's lead was asked for right away: the status of that, 0 when there was none
	sent       time.Time
	took       time.Duration
	err        error // why there is no answer, or none to be understood
}

func (a *answer) at() time.Time { return a.sent.Add(a.took) }

// repeats is the part of all posts whose email was posted before, in another spelling.
const repeats = 0.1

// load posts leads at a steady rate until it is stopped.
//
//	conns clients, each: wait for its turn --> POST --> a 409: GET the lead it names --> note the answer
type load struct {
	addr, path, key string
	run             string // tells this load's emails from others'
	phones          bool   // every eighth lead has a phone and no email
	conns, rate     int
	random          func(client int) *rand.Rand

	emails  atomic.Int64 // how many were posted
	created atomic.Int64 // how many were answered 201
	stop    context.CancelFunc
	clients sync.WaitGroup
	noted   [][]answer // by client; read after end
}

func (l *load) start(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.noted = make([][]answer, l.conns)
	begin := time.Now()
	for i := range l.conns {
		l.clients.Go(func() { l.client(ctx, i, begin) })
	}
}

// end waits for the answers that are still to come and returns all of them.
func (l *load) end() (all []answer) {
	l.stop()
	l.clients.Wait()
	for _, some := range l.noted {
		all = append(all, some...)
	}
	return all
}

// email spells an email for a post, or a phone: what the lead is known by.
func (l *load) email(number, spelling int) string {
	if l.phones && number%8 == 7 {
		forms := []string{"+4670%03d%04d", "070-%03d %04d", "0046 (0)70 %03d%04d", "+46 70 %03d %04d (mobile)"}
		return fmt.Sprintf(forms[spelling%len(forms)], number/10_000%1000, number%10_000)
	}
	return loadgen.Spelling(fmt.Sprintf("%s.%d", l.run, number), spelling)
}

func (l *load) client(ctx context.Context, i int, due time.Time) {
	pace := time.Duration(float64(l.conns) / float64(l.rate) * float64(time.Second))
	due = due.Add(pace * time.Duration(i) / time.Duration(l.conns))
	random := l.random(i)
	var c *loadgen.Conn
	var body []byte
	for {
		if now := time.Now(); due.Before(now.Add(-time.Second)) {
			due = now // what an outage held up is not made up for
		}
		if !pause(ctx, time.Until(due)) {
			break
		}
		due = due.Add(pace)
		if c == nil {
			var err error
			if c, err = loadgen.Dial(l.addr); err != nil {
				l.noted[i] = append(l.noted[i], answer{email: -1, sent: time.Now(), err: err})
				continue
			}
		}
		number, spelling := l.next(random)
		if known := l.email(number, spelling); strings.Contains(known, "@") {
			body = loadgen.AppendLead(body[:0], known)
		} else {
			body = fmt.Appendf(body[:0], `{"name":"John Doe","phone":%q,"source":"website"}`, known)
		}
		a := l.post(c, body)
		a.email = number
		l.noted[i] = append(l.noted[i], a)
		if a.err != nil {
			c.Close()
			c = nil
		}
	}
	if c != nil {
		c.Close()
	}
}

// next chooses a new email, or an earlier one in another spelling.
func (l *load) next(random *rand.Rand) (number, spelling int) {
	if known := l.emails.Load(); known > 0 && random.Float64() < repeats {
		return int(random.Int64N(known)), 1 + random.IntN(loadgen.Spellings-1)
	}
	return int(l.emails.Add(1) - 1), 0
}

func (l *load) post(c *loadgen.Conn, body []byte) answer {
	a := answer{sent: time.Now()}
	got, err := c.Post(l.path, l.key, body)
	a.took, a.status, a.retryAfter, a.err = time.Since(a.sent), got.Status, got.RetryAfter != "", err
	if err != nil {
		a.status = 0
		return a
	}
	if a.lead, a.err = got.Lead(); a.err != nil {
		return a
	}
	switch a.status {
	case http.StatusCreated:
		l.created.Add(1)
	case http.StatusConflict:
		got, err := c.Get("/api/v1/leads/"+a.lead, l.key)
		a.read = got.Status
		if err != nil {
			a.read = 0
		}
	}
	return a
}

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
