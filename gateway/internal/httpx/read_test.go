package httpx_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"leadgate/gateway/internal/httpx"
)

// A client that reads only when it has sent everything gets the answer too.
func TestTooLargeBodyIsAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w http.ResponseWriter, r *http.Request) error {
		_, err := httpx.ReadBody(w, r, 1<<10)
		return err
	})
	body := strings.Repeat("x", 8<<20) // more than the sockets hold
	for name, request := range map[string]string{"a length": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body),
		"chunks": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, "POST /things/1 HTTP/1.1\r\nHost: h\r\n"+request); err != nil {
				t.Fatalf("sending the body: %v", err)
			}
			if all, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 413 ") {
				t.Errorf("answer = %.60q, %v, want 413", all, err)
			}
		})
	}
}
