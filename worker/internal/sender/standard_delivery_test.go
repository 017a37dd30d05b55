package sender_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"leadgate/shared/webhook"
	"leadgate/worker/internal/sender"
)

// The second half of the score sheet: what an answer means, when to try again, and where not to go at all.

func onlySuccess(t *testing.T) {
	srv := mustServe(t, func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(code)
	})
	s := mustSender(t, sender.Deps{Allow: loopback()})
	for code := 200; code <= 599; code++ {
		a, _ := s.Send(t.Context(), endpoint(srv.URL+"/"+strconv.Itoa(code)), job())
		if a.Status != code || (a.Error == "") != (code <= 299) || webhook.Succeeded(code) != (code <= 299) {
			t.Errorf("Send to %d = %d %q, want success up to 299", code, a.Status, a.Error)
		}
	}
}

func notFollowed(t *testing.T) {
	var followed atomic.Int32
	target := mustServe(t, func(http.ResponseWriter, *http.Request) { followed.Add(1) })
	var code int
	srv := mustServe(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", target.URL)
		w.WriteHeader(code)
	})
	s := mustSender(t, sender.Deps{Allow: loopback()})
	for _, code = range []int{300, 301, 302, 303, 305, 307, 308} {
		if a, _ := s.Send(t.Context(), endpoint(srv.URL), job()); a.Status != code ||
			webhook.ClassOf(a.Error) != webhook.FailedStatus {
			t.Errorf("Send to %d = %d %q, want it to be a failure", code, a.Status, a.Error)
		}
	}
	if n := followed.Load(); n != 0 {
		t.Errorf("redirects followed = %d, want 0", n)
	}
}

// What follows from 410 is the drain's: process.TestGoneDisablesTheEndpoint.
func gone(t *testing.T) {
	srv := mustServe(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	a, made := mustSender(t, sender.Deps{Allow: loopback()}).Send(t.Context(), endpoint(srv.URL), job())
	if !made || a.Status != http.StatusGone || a.Error != "status: 410" {
		t.Errorf("Send = %d %q, %v, want 410", a.Status, a.Error, made)
	}
}

func throttled(t *testing.T) {
	srv := mustServe(t, func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.URL.Path[1:])
		if code == 0 {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		w.WriteHeader(code)
	})
	s := mustSender(t, sender.Deps{Allow: loopback()})
	for path, want := range map[string]time.Duration{"429": time.Minute, "502": time.Minute, "503": time.Minute,
		"504": time.Minute, "silence": time.Minute, "500": 5 * time.Second, "404": 5 * time.Second} {
		e := endpoint(srv.URL + "/" + path)
		if path == "silence" {
			e = brief(e.URL)
		}
		a, _ := s.Send(t.Context(), e, job())
		if got := nextAfter(a).Round(time.Millisecond); got != want {
			t.Errorf("the wait after %s = %v, want %v", path, got, want)
		}
	}
}

// nextAfter is how long a first attempt that came to a makes its delivery wait.
func nextAfter(a webhook.Attempt) time.Duration {
	v := webhook.Result{Delivery: a.DeliveryID, Error: a.Error, Status: a.Status, RetryAfter: a.RetryAfter, At: a.At}
	at, _ := webhook.DefaultSchedule().Next(1, v, a.At, 0.5)
	return at.Sub(a.At)
}

func retryAfterCounts(t *testing.T) {
	srv := mustServe(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", r.URL.Path[1:])
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	s := mustSender(t, sender.Deps{Allow: loopback()})
	// never sooner than without it, never beyond a day
	for text, want := range map[string]time.Duration{"1800": 30 * time.Minute, "10": time.Minute,
		"999999999": 24 * time.Hour} {
		a, _ := s.Send(t.Context(), endpoint(srv.URL+"/"+text), job())
		if got := nextAfter(a).Round(time.Millisecond); got != want {
			t.Errorf("the wait after Retry-After: %s = %v, want %v", text, got, want)
		}
	}
}

func timeoutRange(t *testing.T) {
	if webhook.DefaultTimeout < 15*time.Second || webhook.DefaultTimeout > 30*time.Second ||
		webhook.MaxTimeout != 30*time.Second {
		t.Errorf("timeouts = %v usually and %v at most, want 15 to 30 s", webhook.DefaultTimeout, webhook.MaxTimeout)
	}
	srv := mustServe(t, func(w http.ResponseWriter, r *http.Request) { // as long as brief endpoints wait, and longer
		io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(2 * brief("").Timeout):
		case <-r.Context().Done():
		}
	})
	s := mustSender(t, sender.Deps{Allow: loopback()})
	if a, _ := s.Send(t.Context(), endpoint(srv.URL), job()); a.Status != 200 {
		t.Errorf("Send without a timeout of its own = %d %q, want 200", a.Status, a.Error)
	}
	if a, _ := s.Send(t.Context(), brief(srv.URL), job()); webhook.ClassOf(a.Error) != webhook.FailedTimeout {
		t.Errorf("Send with a short timeout = %d %q, want it to end", a.Status, a.Error)
	}
}

func overDays(t *testing.T) {
	at, schedule := time.Time{}, webhook.DefaultSchedule()
	var last time.Duration
	for tries := range schedule {
		next, ok := schedule.Next(tries, webhook.Result{Error: "status: 500", Status: 500}, at, 0.5)
		wait := next.Sub(at)
		if !ok || tries > 0 && wait <= last {
			t.Errorf("wait %d = %v after %v, want it to be longer", tries, wait, last)
		}
		at, last = next, wait
	}
	if days := at.Sub(time.Time{}); days < 72*time.Hour {
		t.Errorf("the schedule spans %v, want days", days)
	}
}

func jitter(t *testing.T) {
	schedule := webhook.DefaultSchedule()
	for tries := 1; tries < len(schedule); tries++ {
		failed := webhook.Result{Error: "status: 500", Status: 500}
		low, _ := schedule.Next(tries, failed, time.Time{}, 0)
		high, _ := schedule.Next(tries, failed, time.Time{}, 0.999)
		if spread := high.Sub(low); spread < schedule[tries]*39/100 || spread > schedule[tries]*41/100 {
			t.Errorf("wait %d varies by %v, want two fifths of %v", tries, spread, schedule[tries])
		}
	}
}

func onlyHTTPS(t *testing.T) {
	srv, trusts := secureServer(t, func(http.ResponseWriter, *http.Request) {})
	if a, _ := mustSender(t, trusts).Send(t.Context(), endpoint(srv.URL), job()); a.Status != 200 {
		t.Errorf("Send = %d %q, want 200", a.Status, a.Error)
	}
	for what, deps := range map[string]sender.Deps{"an authority nobody knows": {Allow: loopback()},
		"another name": {Allow: loopback(), TLS: &tls.Config{RootCAs: trusts.TLS.RootCAs,
			ServerName: "hooks.example.com.invalid"}}} {
		if a, _ := mustSender(t, deps).Send(t.Context(), endpoint(srv.URL),
			job()); webhook.ClassOf(a.Error) != webhook.FailedTLS {
			t.Errorf("Send to a certificate of %s = %d %q, want tls", what, a.Status, a.Error)
		}
	}
	plain := loopback()
	plain.HTTP = false
	if a, _ := mustSender(t, sender.Deps{Allow: plain}).Send(t.Context(), endpoint(mustServe(t, nil).URL),
		job()); webhook.ClassOf(a.Error) != webhook.FailedBlocked {
		t.Errorf("Send by http = %d %q, want it blocked", a.Status, a.Error)
	}
}

// Every address and form of it is in guard_test.go.
func noInternalNetwork(t *testing.T) {
	var reached atomic.Int32
	srv := mustServe(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	a, _ := mustSender(t, sender.Deps{Allow: webhook.Allow{HTTP: true}}).Send(t.Context(), endpoint(srv.URL), job())
	if n := reached.Load(); webhook.ClassOf(a.Error) != webhook.FailedBlocked || n != 0 {
		t.Errorf("Send = %d %q, %d arrived, want it blocked", a.Status, a.Error, n)
	}
}
