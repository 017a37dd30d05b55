package webhook_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/worker/internal/webhook"
)

func TestSendIsStandard(t *testing.T) {
	t.Parallel()
	var body []byte
	var r *http.Request
	srv := mustServe(t, func(w http.ResponseWriter, req *http.Request) {
		r = req
		body, _ = io.ReadAll(req.Body)
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "thanks")
	})
	s, e, j := mustSender(t, webhook.Deps{Allow: loopback()}), endpoint(srv.URL+"/in?x=1"), job()
	j.Attempts = 3
	a, made := s.Send(t.Context(), e, j)
	if !made || a.Status != 202 || a.Error != "" || a.Number != 4 || a.ResponseHead != "thanks" || a.DeliveryID != j.DeliveryID {
		t.Errorf("Send = %+v, %v, want attempt 4 with status 202", a, made)
	}
	wh, err := standardwebhooks.NewWebhook(e.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := wh.Verify(body, r.Header); err != nil {
		t.Errorf("Verify = %v, want nil", err)
	}
	for name, want := range map[string]string{"webhook-id": id.Event.Format(j.EventID), "content-type": "application/json", "user-agent": "leadgate/1"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if r.Method != http.MethodPost || r.RequestURI != "/in?x=1" {
		t.Errorf("request = %s %s, want POST /in?x=1", r.Method, r.RequestURI)
	}
}

// Every way to fail has its class, and no class tells more than it must.
func TestFailuresHaveAClass(t *testing.T) {
	t.Parallel()
	status := func(code int) *httptest.Server {
		return mustServe(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(code)
		})
	}
	silent := mustServe(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() })
	broken := mustServe(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = nil
	t.Cleanup(secure.Close)
	closed := status(200)
	closed.Close()
	unknown := mustResolve(t, noName)
	for _, c := range []struct {
		name, url string
		deps      webhook.Deps
		want      hook.ErrorClass
		status    int
	}{
		{"500", status(500).URL, webhook.Deps{}, hook.FailedStatus, 500},
		{"redirect, not followed", status(307).URL, webhook.Deps{}, hook.FailedStatus, 307},
		{"not modified", status(304).URL, webhook.Deps{}, hook.FailedStatus, 304},
		{"silence", silent.URL, webhook.Deps{Timeout: 100 * time.Millisecond}, hook.FailedTimeout, 0},
		{"nobody", closed.URL, webhook.Deps{}, hook.FailedRefused, 0},
		{"broken off", broken.URL, webhook.Deps{}, hook.FailedConnection, 0},
		{"unknown certificate", secure.URL, webhook.Deps{}, hook.FailedTLS, 0},
		{"https to a plain server", strings.Replace(silent.URL, "http", "https", 1), webhook.Deps{}, hook.FailedTLS, 0},
		{"no such name", "https://hooks.example.com/", webhook.Deps{Resolver: unknown}, hook.FailedDNS, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.deps.Allow = loopback()
			a, made := mustSender(t, c.deps).Send(t.Context(), endpoint(c.url), job())
			if !made || hook.ClassOf(a.Error) != c.want || a.Status != c.status {
				t.Errorf("Send = status %d, error %q, made %v, want class %s, status %d", a.Status, a.Error, made, c.want, c.status)
			}
			if strings.Contains(a.Error, "127.0.0.1") {
				t.Errorf("Error = %q tells an address", a.Error)
			}
		})
	}
}

// A body that drips is given up at the timeout; what counts is the status that came before.
func TestSlowBodyEndsAtTheTimeout(t *testing.T) {
	t.Parallel()
	for _, code := range []int{200, 500} {
		srv := mustServe(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			for tick := time.Tick(10 * time.Millisecond); r.Context().Err() == nil; <-tick {
				io.WriteString(w, ".")
				w.(http.Flusher).Flush()
			}
		})
		const timeout = 300 * time.Millisecond
		a, made := mustSender(t, webhook.Deps{Allow: loopback(), Timeout: timeout}).Send(t.Context(), endpoint(srv.URL), job())
		if !made || a.Status != code || (a.Error == "") != (code == 200) {
			t.Errorf("Send = %+v, %v, want status %d to count", a, made, code)
		}
		if a.Latency < timeout || a.Latency > 10*timeout {
			t.Errorf("Latency = %v, want it to end at %v", a.Latency, timeout)
		}
		if !strings.HasPrefix(a.ResponseHead, "..") {
			t.Errorf("ResponseHead = %q, want what came until then", a.ResponseHead)
		}
	}
}

// An endless body is cut, and what is kept of any body is text that Postgres takes.
func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	srv := mustServe(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a\x00b\xffc")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("é", 4096)); err != nil {
				return
			}
		}
	})
	a, made := mustSender(t, webhook.Deps{Allow: loopback()}).Send(t.Context(), endpoint(srv.URL), job())
	if !made || a.Status != 200 || a.Error != "" {
		t.Fatalf("Send = %d %q, %v, want 200", a.Status, a.Error, made)
	}
	if !strings.HasPrefix(a.ResponseHead, "abcé") || len(a.ResponseHead) < 4000 || len(a.ResponseHead) > 4096 || strings.ToValidUTF8(a.ResponseHead, "") != a.ResponseHead {
		t.Errorf("ResponseHead = %d octets starting %.10q, want 4 KiB of valid text starting abcé", len(a.ResponseHead), a.ResponseHead)
	}
}

func TestConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("x", 60<<10)) // read to its end though only the head is kept
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	s, e := mustSender(t, webhook.Deps{Allow: loopback()}), endpoint(srv.URL)
	for range 10 {
		if a, _ := s.Send(t.Context(), e, job()); a.Status != 200 {
			t.Fatalf("Send = %d %s, want 200", a.Status, a.Error)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("connections for 10 attempts = %d, want 1", n)
	}
}

// An attempt whose context ends was not made: how it went is not known.
func TestGivenUpIsNotMade(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	srv := mustServe(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(began)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if a, made := mustSender(t, webhook.Deps{Allow: loopback()}).Send(ctx, endpoint(srv.URL), job()); made {
		t.Errorf("Send = %+v, made, want not made", a)
	}
}
