package sender_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http2"

	"leadgate/shared/webhook"
	"leadgate/worker/internal/sender"
)

// brief is an endpoint that gives up soon.
func brief(url string) *webhook.Endpoint {
	e := endpoint(url)
	e.Timeout = time.Second
	return e
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
		e := brief(srv.URL)
		a, made := mustSender(t, sender.Deps{Allow: loopback()}).Send(t.Context(), e, job())
		if !made || a.Status != code || (a.Error == "") != (code == 200) {
			t.Errorf("Send = %+v, %v, want status %d to count", a, made, code)
		}
		if a.Latency < e.Timeout || a.Latency > 10*e.Timeout {
			t.Errorf("Latency = %v, want it to end at %v", a.Latency, e.Timeout)
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
	a, made := mustSender(t, sender.Deps{Allow: loopback()}).Send(t.Context(), endpoint(srv.URL), job())
	if !made || a.Status != 200 || a.Error != "" {
		t.Fatalf("Send = %d %q, %v, want 200", a.Status, a.Error, made)
	}
	if !strings.HasPrefix(a.ResponseHead, "a\uFFFDb\uFFFDcé") || len(a.ResponseHead) < 4000 || len(a.ResponseHead) > 4096 ||
		!strings.HasSuffix(a.ResponseHead, "é") || !utf8.ValidString(a.ResponseHead) {
		t.Errorf("ResponseHead = %d bytes starting %.10q, want 4 KiB of valid text starting a�b�cé",
			len(a.ResponseHead), a.ResponseHead)
	}
}

// A reader of what is kept sees where the answer had something else than text.
func TestBodyThatIsNotUTF8IsKeptReadably(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, want string }{
		{"Latin-1", "Ung\xfcltige Anfrage: caf\xe9", "Ung\uFFFDltige Anfrage: caf\uFFFD"},
		{"UTF-16", "\xff\xfen\x00o\x00", "\uFFFDn\uFFFDo\uFFFD"},
		{"UTF-8", "café", "café"},
		{"binary", strings.Repeat("\x00", 5000), strings.Repeat("\uFFFD", 4096/3)},
		{"a rune at the limit", strings.Repeat("a", 4095) + "é", strings.Repeat("a", 4095)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := mustServe(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, c.body) })
			a, _ := mustSender(t, sender.Deps{Allow: loopback()}).Send(t.Context(), endpoint(srv.URL), job())
			if a.ResponseHead != c.want {
				t.Errorf("ResponseHead of %.40q = %d bytes, %.80q, want %d, %.80q", c.body, len(a.ResponseHead), a.ResponseHead,
					len(c.want), c.want)
			}
		})
	}
}

// Compressed, a small answer could be a large one. It is neither asked for nor unpacked.
func TestCompressedBodyStaysSmall(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	zip.Write(bytes.Repeat([]byte("large "), 1<<20))
	zip.Close()
	srv := mustServe(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "" {
			t.Errorf("Accept-Encoding = %q, want none", got)
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes())
	})
	a, _ := mustSender(t, sender.Deps{Allow: loopback()}).Send(t.Context(), endpoint(srv.URL), job())
	if a.Status != 200 || len(a.ResponseHead) > 4096 || strings.Contains(a.ResponseHead, "large") ||
		strings.ContainsRune(a.ResponseHead, 0) || !utf8.ValidString(a.ResponseHead) {
		t.Errorf("Send = %d, head %.20q of %d bytes, want 200 and nothing unpacked", a.Status, a.ResponseHead,
			len(a.ResponseHead))
	}
}

// Receivers that never come to the end of their answer, or start another protocol, hold an attempt until its timeout at
// most.
func TestAnswerThatNeverComesEnds(t *testing.T) {
	t.Parallel()
	drip := func(first, again string) func(net.Conn) {
		return func(c net.Conn) {
			if _, err := readRequest(bufio.NewReader(c)); err != nil {
				return
			}
			_, err := io.WriteString(c, first)
			for tick := time.Tick(5 * time.Millisecond); err == nil; <-tick {
				_, err = io.WriteString(c, again)
			}
		}
	}
	for _, c := range []struct {
		name   string
		speak  func(net.Conn)
		want   webhook.ErrorClass
		status int
		early  bool // before the timeout
	}{
		{"nothing", func(c net.Conn) { io.Copy(io.Discard, c) }, webhook.FailedTimeout, 0, false},
		{"status line, slowly", drip("HTTP/1.1 2", "0"), webhook.FailedTimeout, 0, false},
		{"headers, slowly", drip("HTTP/1.1 200 OK\r\n", "X-Drip: 1\r\n"), webhook.FailedTimeout, 0, false},
		{"one header, slowly", drip("HTTP/1.1 200 OK\r\nX-Drip: ", "1"), webhook.FailedTimeout, 0, false},
		{"early hints, for ever", drip("", strings.Repeat("HTTP/1.1 103 Early Hints\r\nX-Drip: 1\r\n\r\n", 100)),
			webhook.FailedConnection, 0, true},
		{"headers without end", drip("HTTP/1.1 200 OK\r\n", strings.Repeat("X-Long: "+strings.Repeat("x", 1000)+"\r\n", 100)),
			webhook.FailedConnection, 0, true},
		{"20 KiB of headers, and then nothing",
			drip("HTTP/1.1 200 OK\r\n"+strings.Repeat("X-Long: "+strings.Repeat("x", 1000)+"\r\n", 20), ""),
			webhook.FailedConnection, 0, true},
		{"another protocol", drip("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n", ""),
			webhook.FailedStatus, 101, true},
		{"no HTTP", drip("220 mail.example.com ESMTP\r\n", "."), webhook.FailedConnection, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := brief(mustListen(t, c.speak))
			if c.early {
				e.Timeout = 20 * time.Second
			}
			began := time.Now()
			a, made := mustSender(t, sender.Deps{Allow: loopback()}).Send(t.Context(), e, job())
			took := time.Since(began)
			if !made || webhook.ClassOf(a.Error) != c.want || a.Status != c.status {
				t.Errorf("Send = %d %q, made %v, want class %s, status %d", a.Status, a.Error, made, c.want, c.status)
			}
			if c.early && took > e.Timeout/2 || !c.early && (took < e.Timeout || took > 10*e.Timeout) {
				t.Errorf("Send took %v, want it to end early %v and else at %v", took, c.early, e.Timeout)
			}
			if c.want == webhook.FailedTimeout && a.Error != "timeout: no answer within "+e.Timeout.String() {
				t.Errorf("Error = %q, want it to name the endpoint's timeout", a.Error)
			}
		})
	}
}

// secureServer speaks HTTP/2 over TLS, and deps are what trusts it.
func secureServer(t *testing.T, h http.HandlerFunc) (srv *httptest.Server, deps sender.Deps) {
	t.Helper()
	srv = httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that a test breaks off
	srv.StartTLS()
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return srv, sender.Deps{Allow: loopback(), TLS: &tls.Config{RootCAs: roots}}
}

// Over HTTP/2 too a body is bounded.
func TestHTTP2BodyIsBounded(t *testing.T) {
	t.Parallel()
	srv, deps := secureServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("protocol = %s, want HTTP/2", r.Proto)
		}
		io.Copy(io.Discard, r.Body)
		for r.Context().Err() == nil {
			io.WriteString(w, strings.Repeat("x", 16<<10))
		}
	})
	a, _ := mustSender(t, deps).Send(t.Context(), endpoint(srv.URL), job())
	if a.Status != 200 || len(a.ResponseHead) != 4096 {
		t.Errorf("Send = %d %q, head of %d bytes, want 200 and 4 KiB", a.Status, a.Error, len(a.ResponseHead))
	}
}

// What an HTTP/2 receiver may push before it is read waits in our memory: no more than is read of an answer.
func TestHTTP2WindowIsBounded(t *testing.T) {
	t.Parallel()
	trusted, deps := secureServer(t, http.NotFound)
	type windows struct{ stream, connection uint32 }
	said := make(chan windows, 10)
	url := mustListen(t, func(c net.Conn) {
		var w windows
		defer func() { said <- w }()
		s := tls.Server(c, &tls.Config{Certificates: trusted.TLS.Certificates, NextProtos: []string{"h2"}})
		if _, err := io.CopyN(io.Discard, s, int64(len(http2.ClientPreface))); err != nil {
			t.Error(err)
			return
		}
		for f := http2.NewFramer(s, s); ; {
			frame, err := f.ReadFrame()
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					w.stream, _ = frame.Value(http2.SettingInitialWindowSize)
					f.WriteSettings()
				}
			case *http2.WindowUpdateFrame:
				w.connection += frame.Increment
			}
			if _, request := frame.(*http2.HeadersFrame); request || err != nil {
				return
			}
		}
	})
	s := mustSender(t, deps)
	if a, _ := s.Send(t.Context(), endpoint(strings.Replace(url, "http", "https", 1)),
		job()); webhook.ClassOf(a.Error) != webhook.FailedConnection {
		t.Errorf("Send = %d %q, want the connection lost", a.Status, a.Error)
	}
	if w := <-said; w.stream == 0 || w.stream > 64<<10 || w.connection > 1<<20 {
		t.Errorf("windows = %+v, want at most 64 KiB and 1 MiB", w)
	}
}

// One attempt is one request, also where a kept connection breaks: what a receiver may have read is not sent again
// behind the record's back.
func TestOneAttemptIsOneRequest(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	url := mustListen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for n := 0; ; n++ {
			if _, err := readRequest(in); err != nil {
				return
			}
			requests.Add(1)
			if n == 1 {
				return
			}
			io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	s, e := mustSender(t, sender.Deps{Allow: loopback()}), endpoint(url)
	for n, want := range []int{204, 0, 204, 0} { // each second one in a connection is read and not answered
		if a, _ := s.Send(t.Context(), e, job()); a.Status != want || want == 0 &&
			webhook.ClassOf(a.Error) != webhook.FailedConnection {
			t.Errorf("Send %d = %d %q, want %d", n+1, a.Status, a.Error, want)
		}
	}
	if got := requests.Load(); got != 4 {
		t.Errorf("requests = %d, want one for each of 4 attempts", got)
	}
}

// A new connection that closes without an answer is the receiver's failure, and is asked once.
func TestNewConnectionThatClosesIsAFailure(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	url := mustListen(t, func(c net.Conn) {
		readRequest(bufio.NewReader(c))
		requests.Add(1)
	})
	a, _ := mustSender(t, sender.Deps{Allow: loopback()}).Send(t.Context(), endpoint(url), job())
	if n := requests.Load(); webhook.ClassOf(a.Error) != webhook.FailedConnection || n != 1 {
		t.Errorf("Send = %d %q after %d requests, want connection after one", a.Status, a.Error, n)
	}
}
