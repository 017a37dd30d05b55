package sender_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"leadgate/shared/id"
	"leadgate/shared/webhook"
	"leadgate/worker/internal/sender"
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
	s, e, j := mustSender(t, sender.Deps{Allow: loopback()}), endpoint(srv.URL+"/in?x=1"), job()
	j.Attempts = 3
	a, made := s.Send(t.Context(), e, j)
	if !made || a.Status != 202 || a.Error != "" || a.Number != 4 || a.ResponseHead != "thanks" ||
		a.DeliveryID != j.DeliveryID {
		t.Errorf("Send = %+v, %v, want attempt 4 with status 202", a, made)
	}
	wh, err := standardwebhooks.NewWebhook(e.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := wh.Verify(body, r.Header); err != nil {
		t.Errorf("Verify = %v, want nil", err)
	}
	for name, want := range map[string]string{"webhook-id": id.Event.Format(j.EventID), "content-type": "application/json",
		"user-agent": "leadgate/1"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if r.Method != http.MethodPost || r.RequestURI != "/in?x=1" {
		t.Errorf("request = %s %s, want POST /in?x=1", r.Method, r.RequestURI)
	}
}

// A URL that may not stand in a request as it was typed goes out as browsers write it.
func TestURLIsEscaped(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	srv := mustServe(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r.RequestURI })
	s := mustSender(t, sender.Deps{Allow: loopback()})
	for typed, want := range map[string]string{
		"/a b?x=a b":             "/a%20b?x=a%20b",
		"/ä?x=ä&y=\"<>\"":        "/%C3%A4?x=%C3%A4&y=%22%3C%3E%22",
		"/?x=%20+%zz&y={a[0]|b}": "/?x=%20+%zz&y={a[0]|b}",
	} {
		a, made := s.Send(t.Context(), endpoint(srv.URL+typed), job())
		if !made || a.Status != 200 {
			t.Errorf("Send to %s = %+v, %t, want 200", typed, a, made)
			continue
		}
		if got := <-asked; got != want {
			t.Errorf("%s was sent as %s, want %s", typed, got, want)
		}
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
	silent := mustServe(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard,
			r.Body)
		<-r.Context().Done()
	})
	broken := mustServe(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	secure, _ := secureServer(t, http.NotFound)
	closed := status(200)
	closed.Close()
	unknown := mustResolve(t, noName)
	for _, c := range []struct {
		name, url string
		deps      sender.Deps
		want      webhook.ErrorClass
		status    int
	}{
		{"500", status(500).URL, sender.Deps{}, webhook.FailedStatus, 500},
		{"redirect, not followed", status(307).URL, sender.Deps{}, webhook.FailedStatus, 307},
		{"not modified", status(304).URL, sender.Deps{}, webhook.FailedStatus, 304},
		{"silence", silent.URL, sender.Deps{}, webhook.FailedTimeout, 0},
		{"nobody", closed.URL, sender.Deps{}, webhook.FailedRefused, 0},
		{"broken off", broken.URL, sender.Deps{}, webhook.FailedConnection, 0},
		{"unknown certificate", secure.URL, sender.Deps{}, webhook.FailedTLS, 0},
		{"https to a plain server", strings.Replace(silent.URL, "http", "https", 1), sender.Deps{}, webhook.FailedTLS, 0},
		{"no such name", "https://hooks.example.com/", sender.Deps{Resolver: unknown}, webhook.FailedDNS, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.deps.Allow = loopback()
			e := endpoint(c.url)
			if c.want == webhook.FailedTimeout {
				e.Timeout = 100 * time.Millisecond
			}
			a, made := mustSender(t, c.deps).Send(t.Context(), e, job())
			if !made || webhook.ClassOf(a.Error) != c.want || a.Status != c.status {
				t.Errorf("Send = status %d, error %q, made %v, want class %s, status %d", a.Status, a.Error, made, c.want, c.status)
			}
			if strings.Contains(a.Error, "127.0.0.1") {
				t.Errorf("Error = %q tells an address", a.Error)
			}
		})
	}
}

// A TLS handshake that fails says who refused what.
func TestTLSFailuresSayWhatToMend(t *testing.T) {
	t.Parallel()
	const wantsCertificate = "tls: the receiver asks for a client certificate, and webhooks have none"
	for name, c := range map[string]struct {
		server *tls.Config
		client func(*tls.Config)
		want   string
	}{
		"a client certificate, TLS 1.3": {server: &tls.Config{ClientAuth: tls.RequireAnyClientCert}, want: wantsCertificate},
		"a client certificate, TLS 1.2": {server: &tls.Config{ClientAuth: tls.RequireAnyClientCert,
			MaxVersion: tls.VersionTLS12}, want: "tls: the receiver shares no TLS version or cipher with us, or asks for a client certificate"},
		"an unknown name": {server: &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }}, nil
		}}, want: "tls: the receiver has no certificate for this host name"},
		"an old protocol": {server: &tls.Config{MaxVersion: tls.VersionTLS11},
			want: "tls: the receiver does not speak TLS 1.2 or later"},
		"another name": {client: func(c *tls.Config) { c.ServerName = "hooks.example.net" },
			want: "tls: the receiver's certificate is for another host name"},
		"an expired certificate": {client: func(c *tls.Config) {
			c.Time = func() time.Time { return time.Now().AddDate(200, 0, 0) }
		}, want: "tls: the receiver's certificate has expired or is not valid yet"},
		"an unknown authority": {client: func(c *tls.Config) { c.RootCAs = x509.NewCertPool() },
			want: "tls: the receiver's certificate is signed by an authority that is not known, or its chain is not complete"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewUnstartedServer(http.NotFoundHandler())
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			srv.TLS = c.server
			srv.StartTLS()
			t.Cleanup(srv.Close)
			trust := &tls.Config{RootCAs: x509.NewCertPool()}
			trust.RootCAs.AddCert(srv.Certificate())
			if c.client != nil {
				c.client(trust)
			}
			s := mustSender(t, sender.Deps{Allow: loopback(), TLS: trust})
			if a, _ := s.Send(t.Context(), endpoint(srv.URL), job()); a.Error != c.want {
				t.Errorf("Send = %d %q, want %q", a.Status, a.Error, c.want)
			}
		})
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
	s, e := mustSender(t, sender.Deps{Allow: loopback()}), endpoint(srv.URL)
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
	if a, made := mustSender(t, sender.Deps{Allow: loopback()}).Send(ctx, endpoint(srv.URL), job()); made {
		t.Errorf("Send = %+v, made, want not made", a)
	}
}

// Each endpoint has its own timeout, and the error names it.
func TestTimeoutIsTheEndpoints(t *testing.T) {
	t.Parallel()
	silent := mustServe(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard,
			r.Body)
		<-r.Context().Done()
	})
	s := mustSender(t, sender.Deps{Allow: loopback()})
	for _, timeout := range []time.Duration{150 * time.Millisecond, 600 * time.Millisecond} {
		e := endpoint(silent.URL)
		e.Timeout = timeout
		a, _ := s.Send(t.Context(), e, job())
		if want := "timeout: no answer within " + timeout.String(); a.Error != want || a.Latency < timeout ||
			a.Latency > timeout+20*time.Second {
			t.Errorf("Send = %q after %v, want %q", a.Error, a.Latency, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	after := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	srv := mustServe(t, func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.URL.Query().Get("status"))
		w.Header()["Retry-After"] = r.URL.Query()["after"]
		w.WriteHeader(code)
	})
	s := sender.New(sender.Deps{Allow: loopback(), Parallel: 1, Now: func() time.Time { return now }})
	t.Cleanup(s.Close)
	for _, c := range []struct {
		status int
		text   string
		want   time.Duration
	}{
		{503, "120", 2 * time.Minute},
		{429, "1", time.Second},
		{429, "0", 0},
		{500, " 7 ", 7 * time.Second},
		{301, "60", time.Minute},
		{429, after(90 * time.Second), 90 * time.Second},
		{429, now.Add(time.Hour).Format(time.RFC850), time.Hour},
		{429, now.Add(time.Hour).Format(time.ANSIC), time.Hour},
		{429, after(-time.Hour), 0}, // is past
		{429, "86400", 24 * time.Hour},
		{429, "86401", 24 * time.Hour},
		{429, "99999999999999999999999999", 24 * time.Hour},
		{429, after(72 * time.Hour), 24 * time.Hour},
		{429, "-5", 0},
		{429, "+5", 0},
		{429, "1.5", 0},
		{429, "5s", 0},
		{429, "0x10", 0},
		{429, "soon", 0},
		{429, "5, 6", 0},
		{200, "120", 0}, // is done
	} {
		t.Run(fmt.Sprint(c.status, " ", c.text), func(t *testing.T) {
			a, _ := s.Send(t.Context(), endpoint(srv.URL+"/?"+url.Values{"status": {strconv.Itoa(c.status)},
				"after": {c.text}}.Encode()), job())
			if a.Status != c.status || a.RetryAfter != c.want {
				t.Errorf("Send to %d with Retry-After %q = %d, %v, want %v", c.status, c.text, a.Status, a.RetryAfter, c.want)
			}
		})
	}
}

// An endpoint's headers come along; what is ours stays ours, whatever a row has come to hold.
func TestHeadersOfTheEndpoint(t *testing.T) {
	t.Parallel()
	heads := make(chan string, 2)
	endpointURL := mustListen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			head, err := readRequest(in)
			if err != nil {
				return
			}
			heads <- head
			io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	e, j := endpoint(endpointURL), job()
	e.Headers = map[string]string{
		"authorization": "Bearer token", "X-Team": "sales", "x-empty": "",
		"Webhook-Id": "evt_1", "webhook-signature": "v1,AAAA", "WEBHOOK-TIMESTAMP": "1", "Content-Type": "text/plain",
		"User-Agent": "curl", "Host": "internal.example.com",
		"Content-Length": "1", "Transfer-Encoding": "chunked", "Connection": "close", "Expect": "100-continue",
		"Accept-Encoding": "gzip",
		"X-Bad":           "a\r\nX-Smuggled: 1", "X Bad": "a", "": "a",
	}
	s := mustSender(t, sender.Deps{Allow: loopback()})
	for range 2 { // the second in the same connection: "Connection: close" was not sent
		if a, _ := s.Send(t.Context(), e, j); a.Status != 204 {
			t.Fatalf("Send = %d %q, want 204", a.Status, a.Error)
		}
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(<-heads)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer token", "X-Team": "sales", "Webhook-Id": id.Event.Format(j.EventID),
		"Content-Type": "application/json", "User-Agent": "leadgate/1",
	} {
		if got := r.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s = %q, want %q alone", name, got, want)
		}
	}
	for _, name := range []string{"X-Bad", "X-Smuggled", "Expect", "Connection", "Accept-Encoding"} {
		if got, there := r.Header[name]; there {
			t.Errorf("%s = %q, want none", name, got)
		}
	}
	if _, there := r.Header["X-Empty"]; !there || strings.TrimPrefix(endpointURL, "http://") != r.Host+"/" ||
		len(r.TransferEncoding) > 0 || r.ContentLength < 50 {
		t.Errorf("request = host %s, length %d, %v, want the endpoint's host and a plain body", r.Host, r.ContentLength,
			r.Header)
	}
	if len(r.Header["Webhook-Signature"]) != 1 || len(r.Header["Webhook-Timestamp"]) != 1 ||
		r.Header.Get("Webhook-Timestamp") == "1" {
		t.Errorf("signed headers = %v, want ours alone", r.Header)
	}
}

// That this machine has no sockets left is not held against an endpoint.
func TestOwnShortageIsInternal(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]webhook.ErrorClass{
		syscall.EMFILE: webhook.FailedInternal, syscall.ENFILE: webhook.FailedInternal,
		syscall.ENOBUFS:      webhook.FailedInternal,
		syscall.ECONNREFUSED: webhook.FailedRefused, syscall.ECONNRESET: webhook.FailedConnection,
		syscall.ENETUNREACH: webhook.FailedConnection, syscall.ETIMEDOUT: webhook.FailedTimeout,
	} {
		t.Run(fmt.Sprint(errno), func(t *testing.T) {
			err := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
			if got := sender.Classify(err); got != want {
				t.Errorf("classify(%v) = %s, want %s", err, got, want)
			}
		})
	}
}
