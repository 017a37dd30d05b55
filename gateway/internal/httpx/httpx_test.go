package httpx_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
)

// bundle is an edge with one route, POST /things/{id}, on a real server.
type bundle struct {
	url      string
	client   *http.Client
	lines    chan []byte // of the log
	registry *prometheus.Registry
}

type lineWriter chan []byte

func (w lineWriter) Write(b []byte) (int, error) { w <- bytes.Clone(b); return len(b), nil }

func setup(t *testing.T, h httpx.Handler) *bundle {
	t.Helper()
	b := &bundle{lines: make(chan []byte, 16), registry: prometheus.NewRegistry()}
	e := httpx.New(httpx.Deps{Log: slog.New(slog.NewJSONHandler(lineWriter(b.lines), nil)), Registry: b.registry,
		AccessLog: true, Listener: "api"})
	r := mux.NewRouter()
	httpx.RouterErrors(r, e)
	r.Handle("/things/{id}", e.Handle(h)).Methods("POST")
	r.Handle("/things/{id}", e.Handle(h)).Methods("PUT")
	s := httptest.NewUnstartedServer(e.Wrap(r))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Start()
	t.Cleanup(s.Close)
	b.url, b.client = s.URL, s.Client()
	return b
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (b *bundle) do(t *testing.T, method, path string, body io.Reader, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// line returns the next log line.
func (b *bundle) line(t *testing.T) map[string]any {
	t.Helper()
	select {
	case text := <-b.lines:
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		return m
	case <-time.After(60 * time.Second):
		t.Fatal("no log line")
		return nil
	}
}

func TestErrorsInTheEnvelope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		body   string // without requestId
		header map[string]string
	}{
		"validation": {fault.InvalidField("email", "a&b", "Must be a valid email address"), 400,
			`{"success":false,"error":"Validation failed","code":"VALIDATION_ERROR","details":{"field":"email","value":"a&b","message":"Must be a valid email address","errors":[{"field":"email","value":"a&b","message":"Must be a valid email address"}]}`, nil},
		"unauthorized": {fault.New(fault.Unauthorized, "Who?"), 401, `{"success":false,"error":"Who?","code":"UNAUTHORIZED"`,
			map[string]string{"WWW-Authenticate": "Bearer", "Retry-After": ""}},
		"limited rounds up": {&fault.Error{Kind: fault.RateLimited, Public: "Slow", RetryAfter: 1001 * time.Millisecond}, 429,
			`{"success":false,"error":"Slow","code":"RATE_LIMITED"`, map[string]string{"Retry-After": "2"}},
		"unavailable says when": {fault.New(fault.Unavailable, "Away"), 503,
			`{"success":false,"error":"Away","code":"UNAVAILABLE"`,
			map[string]string{"Retry-After": "1"}},
		"cause is private": {errors.New("pq: password of user bob"), 500,
			`{"success":false,"error":"Internal error","code":"INTERNAL"`, nil},
		"details that cannot be encoded": {&fault.Error{Kind: fault.Conflict, Public: "No", Details: func() {}}, 409,
			`{"success":false,"error":"No","code":"CONFLICT"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(http.ResponseWriter, *http.Request) error { return c.err })
			got := b.do(t, "POST", "/things/1", nil)
			want := c.body + `,"requestId":"` + got.header.Get("X-Request-Id") + "\"}\n"
			if got.status != c.status || got.body != want {
				t.Errorf("answer = %d %s, want %d %s", got.status, got.body, c.status, want)
			}
			for k, v := range c.header {
				if got.header.Get(k) != v {
					t.Errorf("%s = %q, want %q", k, got.header.Get(k), v)
				}
			}
			for k, v := range map[string]string{"Content-Type": "application/json; charset=utf-8",
				"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
				if got.header.Get(k) != v {
					t.Errorf("%s = %q, want %q", k, got.header.Get(k), v)
				}
			}
		})
	}
}

func TestPanicIsInternal(t *testing.T) {
	t.Parallel()
	b := setup(t, func(http.ResponseWriter, *http.Request) error { panic("secret state") })
	got := b.do(t, "POST", "/things/1", nil)
	if got.status != 500 || !strings.Contains(got.body, `"code":"INTERNAL"`) || strings.Contains(got.body,
		"secret state") {
		t.Errorf("answer = %d %s, want the INTERNAL envelope without the reason", got.status, got.body)
	}
	line := b.line(t)
	if line["level"] != "ERROR" || !strings.Contains(line["error"].(string), "secret state") ||
		!strings.Contains(line["stack"].(string), "httpx_test") {
		t.Errorf("log line = %v, want the reason and the stack", line)
	}
}

func TestPanicAfterTheHeadBreaksTheAnswerOff(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
		panic("late")
	})
	res, err := b.client.Post(b.url+"/things/1", "text/plain", nil)
	if err == nil {
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
	}
	if err == nil {
		t.Error("the client got a whole answer, want it broken off")
	}
	if line := b.line(t); line["status"] != 500.0 {
		t.Errorf("logged status = %v, want 500", line["status"])
	}
}

func TestRouterErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, func(http.ResponseWriter, *http.Request) error { return nil })
	if got := b.do(t, "GET", "/nothing", nil); got.status != 404 || !strings.Contains(got.body, `"code":"NOT_FOUND"`) {
		t.Errorf("unknown path = %d %s, want NOT_FOUND", got.status, got.body)
	}
	for _, method := range []string{"GET", "DELETE", "OPTIONS", "BREW"} {
		t.Run(method, func(t *testing.T) {
			got := b.do(t, method, "/things/1", nil)
			if got.status != 405 || !strings.Contains(got.body, `"code":"METHOD_NOT_ALLOWED"`) ||
				got.header.Get("Allow") != "POST, PUT" {
				t.Errorf("%s = %d %s, Allow %q, want METHOD_NOT_ALLOWED and POST, PUT", method, got.status, got.body,
					got.header.Get("Allow"))
			}
		})
	}
}

func TestLogLineAndMetrics(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) error {
		httpx.AddLogField(r, "lead", "lead_1")
		return httpx.Data(w, 201, "ok")
	})
	got := b.do(t, "POST", "/things/joe@example.com?q=joe@example.com", nil, "X-Request-Id", "client-7")
	line := b.line(t)
	delete(line, "time")
	delete(line, "ms")
	want := map[string]any{
		"level": "INFO", "msg": "request", "listener": "api", "request_id": got.header.Get("X-Request-Id"),
		"client_request_id": "client-7",
		"method":            "POST", "route": "/things/{id}", "status": 201.0, "bytes": 29.0, "lead": "lead_1",
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("log line (-want +got):\n%s", diff)
	}
	families, err := b.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for _, f := range families {
		if f.GetName() == "leadgate_http_requests_total" {
			for _, l := range f.GetMetric()[0].GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
		}
	}
	wantLabels := map[string]string{"listener": "api", "method": "POST", "route": "/things/{id}", "status": "201"}
	if diff := cmp.Diff(wantLabels, labels); diff != "" {
		t.Errorf("labels of leadgate_http_requests_total (-want +got):\n%s", diff)
	}
}

func TestClientRequestIDIsNotTrusted(t *testing.T) {
	t.Parallel()
	b := setup(t, func(http.ResponseWriter, *http.Request) error { return nil })
	for _, theirs := range []string{"a b", "joe@example.com", strings.Repeat("a", 65)} {
		got := b.do(t, "POST", "/things/1", nil, "X-Request-Id", theirs)
		if id := got.header.Get("X-Request-Id"); !strings.HasPrefix(id, "req_") {
			t.Errorf("X-Request-Id = %q, want our own", id)
		}
		if line := b.line(t); line["client_request_id"] != nil {
			t.Errorf("client_request_id = %v, want it left out", line["client_request_id"])
		}
	}
}

func TestTwoListenersShareARegistry(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	httpx.New(httpx.Deps{Registry: reg, Listener: "api"})
	httpx.New(httpx.Deps{Registry: reg, Listener: "admin"})
}

// A client's address is personal data, and errors of connections quote it.
func TestABrokenBodyIsLoggedWithoutTheClientsAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) error {
		_, err := httpx.ReadJSON(w, r, 1<<10)
		return err
	})
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c,
		"POST /things/1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	// the handler waits for the body
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("answer to Expect = %q, %v; want 100 Continue", line, err)
	}
	if err := c.(*net.TCPConn).SetLinger(0); err != nil { // close by a reset
		t.Fatal(err)
	}
	c.Close()
	line := b.line(t)
	why, _ := line["error"].(string)
	if !strings.Contains(why, "connection reset") || line["code"] != "VALIDATION_ERROR" {
		t.Errorf("log line = %v, want the kind of failure", line)
	}
	if host, port, _ := net.SplitHostPort(c.LocalAddr().String()); strings.Contains(why, host) || strings.Contains(why,
		port) {
		t.Errorf("logged error = %q, want no address in it", why)
	}
}

// net/http cancels the context of a client that closed its sending side, and sends 200 for a handler that writes
// nothing.
func TestAHalfClosedClientHearsOfTheFailure(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return fault.StoreUnavailable(r.Context().Err(), time.Second)
	})
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST /things/1 HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 503 ") || !strings.Contains(string(text),
		`"code":"UNAVAILABLE"`) {
		t.Errorf("answer = %q, %v, want the fault", text, err)
	}
	if line := b.line(t); line["status"] != 503.0 || line["client_closed"] != true {
		t.Errorf("log line = %v, want status 503 and client_closed", line)
	}
}

// chunked hides a body's length.
type chunked struct{ io.Reader }

func TestReadJSON(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var read string
	b := setup(t, func(w http.ResponseWriter, r *http.Request) error {
		body, err := httpx.ReadJSON(w, r, 8)
		mu.Lock()
		defer mu.Unlock()
		read = string(body)
		return err
	})
	const js = "application/json"
	for _, c := range []struct {
		contentType, encoding string
		body                  io.Reader
		status                int
		read                  string
	}{
		{js, "", strings.NewReader("12345678"), 200, "12345678"},
		{js, "", chunked{strings.NewReader("12345678")}, 200, "12345678"},
		{js, "", nil, 200, ""},
		{"Application/JSON; charset=UTF-8", "", strings.NewReader("1"), 200, "1"},
		{js, "identity", strings.NewReader("1"), 200, "1"},
		{js, "", strings.NewReader("123456789"), 413, ""},
		{js, "", chunked{strings.NewReader("123456789")}, 413, ""},
		{js, "", strings.NewReader(strings.Repeat("x", 1<<20)), 413, ""},
		{"", "", strings.NewReader("1"), 415, ""},
		{"text/plain", "", strings.NewReader("1"), 415, ""},
		{"application/json; charset=utf8", "", strings.NewReader("\ufeff1"), 200, "1"},
		{"application/json; charset=US-ASCII", "", strings.NewReader("1"), 200, "1"},
		{"application/json; charset=latin1", "", strings.NewReader("1"), 415, ""},
		{"application/json; charset", "", strings.NewReader("1"), 415, ""},
		{js, "gzip", strings.NewReader("1"), 415, ""},
	} {
		t.Run(c.contentType+" "+c.encoding, func(t *testing.T) {
			got := b.do(t, "POST", "/things/1", c.body, "Content-Type", c.contentType, "Content-Encoding", c.encoding)
			mu.Lock()
			if got.status != c.status || read != c.read {
				t.Errorf("ReadJSON(%q, %q) = %d %q, want %d %q", c.contentType, c.encoding, got.status, read, c.status, c.read)
			}
			mu.Unlock()
		})
	}
}

// Whoever stands in front may have read another length than we did, so what follows in the connection is not trusted
// to be a request (RFC 9112, 6.1).
func TestConnectionWithADoubtfulLengthIsClosed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request string
		kept    bool
	}{
		"a length": {"POST /things/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", true},
		"no body":  {"POST /things/1 HTTP/1.1\r\nHost: h\r\n\r\n", true},
		"a length and chunks": {"POST /things/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", false},
		"chunks": {"POST /things/1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", false},
		"a length and chunks in HTTP/1.0": {"POST /things/1 HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n" +
			"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(w http.ResponseWriter, r *http.Request) error {
				_, err := httpx.ReadBody(w, r, 1<<10)
				return errors.Join(err, httpx.Data(w, 200, "done"))
			})
			conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, c.request+"POST /things/2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			all, _ := io.ReadAll(conn) // a close with unread bytes may be a reset
			want := 1
			if c.kept {
				want = 2
			}
			if got := strings.Count(string(all), `"data":"done"`); got != want {
				t.Errorf("answers = %d, want %d: %s", got, want, all)
			}
		})
	}
}

// A slash that is encoded belongs to a segment (RFC 3986, 2.2), and no segment of ours has one.
func TestEncodedSlashIsNoSlash(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, _ *http.Request) error { return httpx.Data(w, 200, "done") })
	for path, want := range map[string]int{"/things/1": 200, "/things/%31": 200, "/things%2F1": 404, "/things%2f1": 404,
		"/things/%2F": 404} {
		t.Run(path, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "POST", b.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Opaque = path
			res, err := b.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("POST %s = %d, want %d", path, res.StatusCode, want)
			}
		})
	}
}
