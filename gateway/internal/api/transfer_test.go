package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/api"
	"leadgate/shared/tenant"
)

// dial opens a connection that takes in very little by itself, and sends text.
func (b *bundle) dial(t *testing.T, text string) net.Conn {
	t.Helper()
	return b.dialWindow(t, text, 4096)
}

// dialWindow is dial with a receive buffer of so many bytes.
func (b *bundle) dialWindow(t *testing.T, text string, window int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.(*net.TCPConn).SetReadBuffer(window)
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// get is a request as text; extra is more of its head.
func (b *bundle) get(path, protocol, extra string) string {
	return "GET " + path + " " + protocol + "\r\nHost: api.example.com\r\nAuthorization: Bearer " + b.secret + "\r\n" +
		extra + "\r\n"
}

func briskly(d *api.Deps) { d.TransferWindow = 300 * time.Millisecond }

// A client that sends just enough not to stall cannot hold the place of an upload for hours.
func TestATricklingUploadIsBrokenOff(t *testing.T) {
	t.Parallel()
	b := setup(t, briskly)
	c := b.dial(t, strings.Replace(b.head("POST", "/api/v1/imports", 1<<20), "application/json", "text/csv", 1)+"email\n")
	c.SetDeadline(time.Now().Add(15 * time.Second))
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				fmt.Fprint(c, "a")
			}
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("a trickle is not answered: %v", err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != 408 || !strings.Contains(string(text), "16 KiB per second") {
		t.Errorf("a trickle = %d %s, want 408 that says how fast to be", res.StatusCode, text)
	}
}

// A client that does not read on loses its export, which breaks off, and its place goes to the next one.
func TestAnExportThatIsNotReadIsBrokenOff(t *testing.T) {
	t.Parallel()
	b := setup(t, briskly)
	b.mustFill(t, 1000, 16_000)
	request := b.get("/api/v1/leads/export", "HTTP/1.1", "")
	// What was sent before the break is read to its end below, so the window is not as small as elsewhere.
	held := [...]net.Conn{b.dialWindow(t, request, 256<<10), b.dialWindow(t, request, 256<<10)}
	for _, c := range held {
		if line, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
			t.Fatalf("export = %q, %v", line, err)
		}
	}
	for begin := time.Now(); ; {
		if got := b.send(t, b.secret, "HEAD", "/api/v1/leads/export", ""); got.status == 200 {
			break
		}
		if time.Since(begin) > 15*time.Second {
			t.Fatal("two exports that nobody reads hold their places")
		}
	}
	complete := 0
	for _, c := range held {
		if text, _ := io.ReadAll(c); strings.HasSuffix(string(text), "\r\n0\r\n\r\n") {
			complete++
		}
	}
	if complete == len(held) { // one was broken off: it gave the place up
		t.Error("an export that was broken off looks complete")
	}
}

// Lists that nobody reads on, and batches that come slowly, keep nobody from being served.
func TestSlowClientsHoldNoSlots(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustFill(t, 200, 32_000)
	for range 3 {
		c := b.dial(t, b.get("/api/v1/leads?limit=200", "HTTP/1.1", "Accept-Encoding: identity\r\n"))
		if line, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
			t.Fatalf("list = %q, %v", line, err)
		}
	}
	b.send(t, b.secret, "GET", "/api/v1/leads?limit=1", "").wantOK(t, "a list while three are not read")
	b.send(t, b.secret, "GET", "/api/v1/events", "").wantOK(t, "another expensive read meanwhile")
	for range 4 {
		c := b.dial(t, strings.Replace(b.head("POST", "/api/v1/leads/batch", 1000), "\r\n\r\n",
			"\r\nExpect: 100-continue\r\n\r\n", 1))
		// its body is waited for
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("batch = %q, %v", line, err)
		}
	}
	if got := b.send(t, b.secret, "POST", "/api/v1/leads/batch",
		`{"leads":[{"email":"a@example.com"}]}`); got.status != 207 {
		t.Errorf("a batch while four come slowly = %d %s, want 207", got.status, got.text)
	}
}

// To a client of HTTP/1.0 a stream that breaks off looks complete.
func TestStreamsNeedHTTP11(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/api/v1/leads/export", "/api/v1/imports/imp_00000000000000000000000001/errors"} {
		res, err := http.ReadResponse(bufio.NewReader(b.dial(t, b.get(path, "HTTP/1.0", ""))), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if text, _ := io.ReadAll(res.Body); res.StatusCode != 400 || !strings.Contains(string(text), "VALIDATION_ERROR") ||
			!strings.Contains(string(text), "HTTP/1.1") {
			t.Errorf("%s by HTTP/1.0 = %d %s, want 400 that names HTTP/1.1", path, res.StatusCode, text)
		}
	}
}

// Slow uploads of a few workspaces keep no other from importing: the slowest is broken off, and told so.
func TestSlowUploadsGiveWay(t *testing.T) {
	t.Parallel()
	b := setupWithin(t, time.Minute)
	head := func() string {
		text := strings.Replace(b.head("POST", "/api/v1/imports", 1<<20), "application/json", "text/csv", 1)
		return strings.Replace(text, "\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", 1)
	}
	var slow []*bufio.Reader
	for range 4 {
		b.owner = b.mustWorkspace(t, tenant.Settings{})
		for range 2 {
			c := bufio.NewReader(b.dial(t, head()))
			if line, err := c.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") { // it has its place
				t.Fatalf("upload = %q, %v", line, err)
			}
			c.ReadString('\n')
			slow = append(slow, c)
		}
	}
	b.owner = b.mustWorkspace(t, tenant.Settings{})
	req, err := http.NewRequestWithContext(t.Context(), "POST", b.url+"/api/v1/imports", strings.NewReader("email\na@example.com\n"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.secret)
	req.Header.Set("Content-Type", "text/csv")
	if got := b.do(t, req); got.status != 202 {
		t.Errorf("an import of a fifth workspace = %d %s, want 202", got.status, got.text)
	}
	answers := make(chan string)
	for _, c := range slow {
		go func() {
			res, err := http.ReadResponse(c, nil)
			if err != nil {
				return // the test has ended
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			answers <- fmt.Sprint(res.StatusCode, " ", res.Header.Get("Retry-After"), " ", string(text))
		}()
	}
	if got := <-answers; !strings.HasPrefix(got, "503 60 ") || !strings.Contains(got, "gave way") {
		t.Errorf("the upload that gave way = %s, want 503 that says so", got)
	}
}
