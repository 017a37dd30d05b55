package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// submissions are the scenarios in which visitors send a form.
func submissions() []scenario {
	return []scenario{
		{name: "submissions", what: "visitors send a form, some again with another message and robots too, while gateway, worker, " +
			"Redis and Postgres are killed at random",
			env: []string{"LEADGATE_TRUSTED_PROXIES=127.0.0.0/8"}, short: true, whole: killUnderSubmissions},
	}
}

// What is sent: of all posts so many are of somebody who sent the form before, and so many are a robot's.
const (
	returning = 0.30
	trapped   = 0.05
)

// formConns is how many visitors there are at once for each connection of other loads: a form takes its time to answer.
const formConns = 8

// formLoad sends posts of a form, each under a key of its own until it is answered with success.
type formLoad struct {
	url    string
	posts  int
	client *http.Client

	next, tries atomic.Int64
}

// message is what marks the n-th post.
func message(n int) string {
	return fmt.Sprintf("I have a question about order %d, please call me back.", n)
}

// killUnderSubmissions sends the posts and kills the parts meanwhile, and then checks that each post is there once, with
// what became of it, and that the books balance.
func killUnderSubmissions(ctx context.Context, run *runner) (report string, err error) {
	key, err := run.makeForm(ctx)
	if err != nil {
		return "", err
	}
	hook := newSubmissionHook()
	defer hook.Close()
	if _, err := run.api().CreateWebhook(ctx, hook.endpoint()); err != nil {
		return "", fmt.Errorf("subscribe: %w", err)
	}
	conns := run.conns * formConns
	load := &formLoad{url: run.URL + "/f/" + key, posts: run.posts,
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: conns}}}
	begin := time.Now()
	work, wctx := errgroup.WithContext(ctx)
	sending, sent := context.WithCancel(wctx)
	var clients sync.WaitGroup
	for c := range conns {
		clients.Add(1)
		work.Go(func() error {
			defer clients.Done()
			return load.send(wctx, run.random(c))
		})
	}
	go func() { clients.Wait(); sent() }()
	kills := 0
	work.Go(func() (err error) {
		kills, err = run.killAtRandom(sending, run.random(conns))
		return err
	})
	err = work.Wait()
	took := time.Since(begin)
	sent()
	run.loaded()
	if err != nil {
		return "", err
	}
	if kills == 0 {
		return "", fmt.Errorf("all was sent before anything was killed: -posts is too small")
	}
	if err := run.awaitNothingDue(ctx); err != nil {
		return "", err
	}
	book, err := run.readSubmissions(ctx)
	if err != nil {
		return "", err
	}
	report = fmt.Sprintf("  %d posts in %v: %d tries, %d kills; %v\n", run.posts, ms(took), load.tries.Load(), kills, book)
	return report, book.check(run.posts, hook)
}

// makeForm makes a form that nobody is limited at, and returns its key.
func (run *runner) makeForm(ctx context.Context) (key string, err error) {
	key = tenant.NewText(tenant.PublishableKey, false)
	form := tenant.Form{Origins: []string{tenant.AnyOrigin}, PerMinute: tenant.MaxFormRate, PerMinuteIP: tenant.MaxFormRate,
		MaxHeldPerDay: tenant.MaxHeldPerDay}
	hash, ok := tenant.HashSecret(key)
	if !ok {
		return "", fmt.Errorf("a new publishable key does not hash")
	}
	k := tenant.Key{WorkspaceID: run.workspace, ID: id.New(), Name: "chaos", Kind: tenant.PublishableKey, Public: key, Form: &form,
		CreatedAt: time.Now()}
	return key, run.db.CreateKey(ctx, k, hash)
}

// send sends posts until all are sent.
func (l *formLoad) send(ctx context.Context, random *rand.Rand) error {
	for n := int(l.next.Add(1)); n <= l.posts; n = int(l.next.Add(1)) {
		who, trap := n, ""
		if random.Float64() < returning {
			who = 1 + random.IntN(n)
		}
		if random.Float64() < trapped {
			trap = "cheap watches http://shop.example.net/buy"
		}
		fields := map[string]string{"name": "Ann Lee", "email": fmt.Sprintf("visitor.%d@example.com", who), "message": message(n)}
		if trap != "" {
			fields[tenant.DefaultHoneypot] = trap
		}
		body, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		if err := l.until(ctx, n, body, random); err != nil {
			return err
		}
	}
	return nil
}

// until sends a post again and again, until it is answered with success. Any other answer that is one is an error.
func (l *formLoad) until(ctx context.Context, n int, body []byte, random *rand.Rand) error {
	from := fmt.Sprintf("203.%d.%d.%d", n>>16&255, n>>8&255, n&255)
	for {
		l.tries.Add(1)
		status, answer, err := l.try(ctx, n, from, body)
		switch {
		case err == nil && status == http.StatusOK:
			return nil
		case err != nil, status == http.StatusServiceUnavailable, status == http.StatusConflict:
		default:
			return fmt.Errorf("post %d: %d %s, want 200 or 503", n, status, answer)
		}
		if !pause(ctx, time.Duration(100+random.IntN(300))*time.Millisecond) {
			return fmt.Errorf("post %d has no answer: %d %s (%v): %w", n, status, answer, err, ctx.Err())
		}
	}
}

func (l *formLoad) try(ctx context.Context, n int, from string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", fmt.Sprintf("submission-%d", n))
	req.Header.Set("X-Forwarded-For", from)
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	res, err := l.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, 4096))
	return res.StatusCode, answer, err
}

// killAtRandom kills one part after the other, and starts it again, until ctx ends. It returns how often. Between two
// kills there is as much time as others take for an outage, on average.
func (run *runner) killAtRandom(ctx context.Context, random *rand.Rand) (kills int, err error) {
	alive := context.WithoutCancel(ctx)
	for pause(ctx, run.outage/2+time.Duration(random.Int64N(int64(run.outage)))) {
		down := time.Duration(random.IntN(300)) * time.Millisecond
		switch random.IntN(4) {
		case 0:
			run.Gateway().Kill()
			err = run.Gateway().Start(alive)
		case 1:
			run.Workers()[0].Kill()
			pause(ctx, down)
			err = run.Workers()[0].Start(alive)
		case 2:
			run.Redis.Kill()
			pause(ctx, down)
			err = run.Redis.Start(alive)
		default:
			run.Postgres.Kill()
			pause(ctx, down)
			err = run.Postgres.Start(alive)
		}
		if err != nil {
			return kills, fmt.Errorf("start again what was killed: %w", err)
		}
		kills++
	}
	return kills, nil
}

// submissionHook is a subscriber that notes which leads and submissions it was told of.
type submissionHook struct {
	*httptest.Server
	mu        sync.Mutex
	created   map[string]bool // leads
	submitted map[string]bool // submissions
}

func newSubmissionHook() *submissionHook {
	h := &submissionHook{created: map[string]bool{}, submitted: map[string]bool{}}
	h.Server = httptest.NewServer(h)
	return h
}

// ServeHTTP takes one webhook.
func (h *submissionHook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var event struct {
		Type string
		Data struct {
			ID         string
			Submission struct{ ID string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch event.Type {
	case webhook.LeadCreated:
		h.created[event.Data.ID] = true
	case webhook.LeadSubmitted:
		h.submitted[event.Data.Submission.ID] = true
	}
}
