package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/client"
	"leadgate/shared/config"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// text is what a command prints while it runs.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (x *text) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(b)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// listening runs the command until end, which returns its error, and returns when it listens.
func listening(t *testing.T, l *listenToEvents) (out, says *text, end func() error) {
	t.Helper()
	out, says = &text{}, &text{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx, hurried(), out, says) }()
	end = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { end() })
	testwait.Until(t, "the command listens", func() bool { return strings.Contains(says.String(), "Listening") })
	return out, says, end
}

// hook is a receiver that keeps what arrives: id, body and headers.
type hook struct {
	url string
	mu  sync.Mutex
	got []arrived
}

type arrived struct {
	header http.Header
	body   string
}

func newHook(t *testing.T, status int) *hook {
	t.Helper()
	h := &hook{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.got = append(h.got, arrived{r.Header, string(body)})
		h.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	h.url = s.URL + "/hook"
	return h
}

func (h *hook) all() []arrived {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]arrived(nil), h.got...)
}

// leadsOf returns a function that posts a lead.
func leadsOf(t *testing.T, api, key string) func(email string) {
	t.Helper()
	c := client.New(client.Options{URL: api, Key: key})
	t.Cleanup(c.Close)
	return func(email string) {
		t.Helper()
		if _, err := c.CreateLead(t.Context(), client.NewLead{Email: email}, client.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// Events that come are printed, and posted as a worker would post them, so that a library verifies them.
func TestWebhookListen(t *testing.T) {
	t.Parallel()
	g := start(t, environment(pgtest.URL(t), redistest.Start(t).URL()))
	_, key := newTenant(t, g.env)
	post := leadsOf(t, g.api, key)
	post("before@example.com")
	h := newHook(t, http.StatusAccepted)
	to := access{URL: g.api, Key: config.Secret(key)}
	out, says, end := listening(t, &listenToEvents{access: to, Forward: h.url, Events: []string{"lead.*"}})
	only, _, endOnly := listening(t, &listenToEvents{access: to, Events: []string{"lead.created", "endpoint.*"}, JSON: true})
	none, _, _ := listening(t, &listenToEvents{access: to, Events: []string{"endpoint.*"}})
	post("ann@example.com")
	post("bob@example.com")
	testwait.Until(t, "both are forwarded and printed", func() bool {
		return strings.Count(out.String(), "\n") == 2 && strings.Count(only.String(), "\n") == 2
	})
	secret := field(says.String(), "whsec_")
	verify, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, email := range []string{"ann@example.com", "bob@example.com"} {
		got := h.all()[i]
		if err := verify.Verify([]byte(got.body), got.header); err != nil {
			t.Errorf("Verify(%s) = %v", got.body, err)
		}
		if !strings.Contains(got.body, email) || !strings.HasPrefix(got.body, `{"type":"lead.created","timestamp":"`) ||
			got.header.Get("Content-Type") != "application/json" || got.header.Get("User-Agent") != "leadgate/1" {
			t.Errorf("forwarded %v %s, want the webhook about %s", got.header, got.body, email)
		}
		if !strings.Contains(lines[i], " lead.created "+got.header.Get("webhook-id")+" "+email+" -> 202 Accepted in ") {
			t.Errorf("line %q, want the event, the address and the answer", lines[i])
		}
		if !strings.Contains(only.String(), got.body+"\n") {
			t.Errorf("--json printed %s, want %s", only, got.body)
		}
	}
	for _, e := range []func() error{end, endOnly} {
		if err := e(); err != nil {
			t.Errorf("run = %v after Ctrl+C, want no error", err)
		}
	}
	if len(h.all()) != 2 || none.String() != "" {
		t.Errorf("%d webhooks, and of events that are not wanted %q; want 2 and nothing", len(h.all()), none)
	}
}

// After an outage, at whatever request it begins, it goes on where it stopped, and passes nothing on twice. A receiver
// that is away, or refuses, costs its own event only.
func TestWebhookListenGoesOn(t *testing.T) {
	t.Parallel()
	g := start(t, environment(pgtest.URL(t), redistest.Start(t).URL()))
	_, key := newTenant(t, g.env)
	post := leadsOf(t, g.api, key)
	target, err := url.Parse(g.api)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(target)
	var left atomic.Int64 // requests until the API is away; less than zero: it is
	left.Store(1 << 40)
	var how atomic.Int64 // the status it answers then
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if left.Add(-1) < 0 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(int(how.Load()))
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	h := newHook(t, http.StatusInternalServerError)
	to := access{URL: proxy.URL, Key: config.Secret(key)}
	secret := webhook.NewSecret()
	out, says, _ := listening(t, &listenToEvents{access: to, Forward: h.url, Events: []string{"lead.*"},
		Secret: config.Secret(secret)})
	if strings.Contains(says.String(), secret) {
		t.Errorf("it prints the secret that it was given: %s", says)
	}
	want := 0
	for allowed, status := range []int64{503, 429, 502, 429} {
		left.Store(int64(allowed)) // the next list and so many of the events after it
		how.Store(status)
		for n := range 3 {
			post(fmt.Sprintf("lead-%d-%d@example.com", allowed, n))
		}
		testwait.Until(t, "it says that it waits", func() bool {
			return strings.Count(says.String(), "Waiting for the API") == allowed+1
		})
		left.Store(1 << 40)
		want += 3
		testwait.Until(t, "everything is passed on", func() bool { return strings.Count(out.String(), "\n") >= want })
	}
	testwait.Until(t, "it says that the API is back", func() bool {
		return strings.Count(says.String(), "The API answers again") == 4
	})
	got := h.all()
	for i := range got {
		if email := fmt.Sprintf(`"lead-%d-%d@example.com"`, i/3, i%3); len(got) != want || !strings.Contains(got[i].body, email) {
			t.Fatalf("webhook %d of %d is %s, want %d, this one about %s", i, len(got), got[i].body, want, email)
		}
	}
	if !strings.Contains(out.String(), "-> 500 Internal Server Error in ") {
		t.Errorf("printed %s, want the receiver's answers", out)
	}

	away, _, _ := listening(t, &listenToEvents{access: to, Forward: "http://127.0.0.1:1/", Events: []string{"lead.*"}})
	post("ann@example.com")
	testwait.Until(t, "why it could not be forwarded", func() bool {
		return strings.Contains(away.String(), "ann@example.com -> dial tcp 127.0.0.1:1: ")
	})
}

// An event that appears after newer ones, because its commit took longer, is passed on as well.
func TestWebhookListenFindsLateEvents(t *testing.T) {
	t.Parallel()
	looks := [][]string{{"05"}, {"09", "05"}, {"09", "07", "05"}, {"09", "07", "05"}, {"09", "07", "05"}}
	event := func(second string) string {
		return fmt.Sprintf(`{"id":"evt_01jhn3qa4c6e8g0j2m4p6r8t%s","type":"lead.created","createdAt":"2026-01-15T10:30:%sZ",
			"data":{"id":"lead at %s"}}`, second, second, second)
	}
	var look atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, one, ok := strings.Cut(r.URL.Path, "/events/evt_"); ok {
			fmt.Fprintf(w, `{"success":true,"data":%s}`, event(one[len(one)-2:]))
			return
		}
		var shown []string
		for _, second := range looks[min(int(look.Add(1)), len(looks))-1] {
			shown = append(shown, event(second))
		}
		fmt.Fprintf(w, `{"success":true,"data":[%s],"nextCursor":null}`, strings.Join(shown, ","))
	}))
	t.Cleanup(s.Close)
	out, _, _ := listening(t, &listenToEvents{access: access{URL: s.URL, Key: "sk"}, Events: []string{"lead.*"}})
	testwait.Until(t, "five looks", func() bool { return look.Load() > 5 })
	if got := out.String(); strings.Count(got, "\n") != 2 || strings.Index(got, "lead at 09") > strings.Index(got, "lead at 07") ||
		!strings.Contains(got, "lead at 07") {
		t.Errorf("printed %s, want the two new ones, each once", got)
	}
}

// What waiting does not mend ends the command, and mistakes are said all at once.
func TestWebhookListenEnds(t *testing.T) {
	t.Parallel()
	g := start(t, environment(pgtest.URL(t), redistest.Start(t).URL()))
	ws, _ := newTenant(t, g.env)
	reads := must(t, g.env, "key", "create", "--workspace", ws, "--name=reads", "--scopes=leads:read")
	for name, test := range map[string]struct{ key, want string }{
		"no key":         {"sk-workspace_none", "key"},
		"too few scopes": {field(reads, "sk-workspace_"), "webhooks:manage"},
	} {
		_, err := command(map[string]string{"LEADGATE_URL": g.api, "LEADGATE_KEY": test.key}, "webhook", "listen")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s in it", name, err, test.want)
		}
	}
	_, err := command(map[string]string{"LEADGATE_KEY": "sk"}, "webhook", "listen", "--forward=127.0.0.1:3000", "--secret=x",
		"--events=lead.made")
	for _, want := range []string{"--forward", "--secret", "--events"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("listen with three mistakes = %v, want %s in it", err, want)
		}
	}
}
