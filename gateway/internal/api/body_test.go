package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/id"
)

// raw sends a request as text, closes the sending side if it is to, and returns the answer.
func (b *bundle) raw(t *testing.T, request string, closeWrite bool) answer {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	if closeWrite {
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(text)}
	if res.Close {
		a.header.Set("Connection", "close") // ReadResponse takes it out
	}
	if err := json.Unmarshal(text, &a.body); err != nil {
		t.Fatalf("answer = %d %q, want JSON", a.status, text)
	}
	return a
}

func (b *bundle) head(method, path string, length int) string {
	return fmt.Sprintf(
		"%s %s HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		method, path, b.secret, length)
}

func TestABodyThatDoesNotArrive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/api/v1/leads", "/api/v1/webhooks"} {
		stalled := b.raw(t, b.head("POST", path, 50)+`{"em`, false)
		stalled.wantError(t, "a stalled body at "+path, 408, "REQUEST_TIMEOUT")
		if stalled.header.Get("Connection") != "close" || stalled.body.Error != "The request body did not arrive within 2 s" {
			t.Errorf("a stalled body at %s = %s, Connection %q, want the time it had, and close", path, stalled.text,
				stalled.header.Get("Connection"))
		}
		b.raw(t, b.head("POST", path, 50)+`{"em`, true).wantError(t, "a body cut short at "+path, 400, "VALIDATION_ERROR")
	}
}

// A client may close its sending side and wait for the answer.
func TestAHalfClosedClientIsAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 20 { // the close races with the commit
		body := fmt.Sprintf(`{"email":"half%d@example.com"}`, i)
		made := mustID(t, b.raw(t, b.head("POST", "/api/v1/leads", len(body))+body, true))
		if got := b.raw(t, b.head("GET", "/api/v1/leads/"+made, 0), true); got.status != 200 || !strings.Contains(got.text,
			made) {
			t.Fatalf("GET of a half-closed client = %d %s, want the lead", got.status, got.text)
		}
	}
	b.raw(t, b.head("GET", "/api/v1/leads/"+id.Lead.Format(id.New()), 0), true).wantError(t, "an unknown lead", 404,
		"NOT_FOUND")
}

func TestManyMistakesMakeASmallAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var body strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&body, `,"f%d":1`, i)
	}
	got := b.send(t, b.secret, "POST", "/api/v1/leads", "{"+body.String()[1:]+"}")
	got.wantError(t, "6,000 unknown fields", 400, "VALIDATION_ERROR")
	// The email that is missing too is the last of 6,001.
	if n := len(got.body.Details.Errors); n != 20 || len(got.text) > 8<<10 || !strings.Contains(got.text,
		`"errorsOmitted":5981}`) {
		t.Errorf("6,000 unknown fields = %d bytes with %d errors, want 20 errors and 5981 omitted: ...%s", len(got.text), n,
			got.text[max(0, len(got.text)-100):])
	}
}
