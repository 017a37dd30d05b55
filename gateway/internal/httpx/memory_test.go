package httpx_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/limit"
)

// A body is charged for as it comes and not for what its length says, up to twice what there is; the request's end
// gives all of it back.
func TestBodiesAreChargedAsTheyCome(t *testing.T) {
	t.Parallel()
	const maxBytes = 5 << 20
	for _, c := range []struct {
		name            string
		sent, length    int // length -1: chunked
		charged, status int
	}{
		{"a small one", 4000, 4000, 0, 200},
		{"a large one", 100_000, 100_000, 100_001 - 4096, 200},
		{"a large one in chunks", 100_000, -1, 131072 - 4096, 200},
		{"the start of a large one", 10_000, maxBytes, 16384 - 4096, 400},
		{"the largest", maxBytes, maxBytes, maxBytes + 1 - 4096, 200},
		{"one that is too large", maxBytes + 1, -1, maxBytes + 1 - 4096, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			memory, workspace := limit.NewBudget[id.UUID](64<<20), id.New()
			e := httpx.New(httpx.Deps{Log: slog.New(slog.DiscardHandler), Listener: "api", Memory: memory})
			var charged int64
			h := e.Wrap(e.Handle(func(w http.ResponseWriter, r *http.Request) error {
				httpx.ChargeTo(r, workspace)
				body, err := httpx.ReadBody(w, r, maxBytes)
				charged = memory.Usage().Used
				if err == nil && !bytes.Equal(body, bytes.Repeat([]byte("x"), c.sent)) {
					t.Errorf("body = %d bytes, want the %d that were sent", len(body), c.sent)
				}
				return err
			}))
			body := io.Reader(strings.NewReader(strings.Repeat("x", c.sent)))
			if c.sent < c.length {
				body = io.MultiReader(body, iotest.ErrReader(io.ErrUnexpectedEOF))
			}
			r := httptest.NewRequest("POST", "/", io.NopCloser(body))
			r.ContentLength = int64(c.length)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status || charged != int64(c.charged) {
				t.Errorf("answer = %d with %d bytes charged, want %d with %d", w.Code, charged, c.status, c.charged)
			}
			if got := memory.Usage().Used; got != 0 {
				t.Errorf("%d bytes are charged after the answer, want none", got)
			}
		})
	}
}

// A body for which there is no memory is refused without being read to its end.
func TestBodyWithoutMemory(t *testing.T) {
	t.Parallel()
	memory, workspace := limit.NewBudget[id.UUID](1<<20), id.New()
	e := httpx.New(httpx.Deps{Log: slog.New(slog.DiscardHandler), Listener: "api", Memory: memory})
	h := e.Wrap(e.Handle(func(w http.ResponseWriter, r *http.Request) error {
		httpx.ChargeTo(r, workspace)
		_, err := httpx.ReadBody(w, r, 5<<20)
		return err
	}))
	body := strings.NewReader(strings.Repeat("x", 5<<20))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", body))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" ||
		w.Header().Get("Connection") != "close" {
		t.Errorf("answer = %d %v, want 503, Retry-After 1 and Connection close", w.Code, w.Header())
	}
	if read := 5<<20 - body.Len(); read > 1<<20/4 {
		t.Errorf("%d bytes of the body were read, want no more than the workspace may have", read)
	}
	if u := memory.Usage(); u.Used != 0 || u.Short != 1 {
		t.Errorf("Usage() = %+v, want nothing used and one refusal", u)
	}
}

// An answer that waits for its client is charged for. Where there is no memory, one that only reads is refused, and one
// that tells of a change is sent all the same.
func TestAnswersAreCharged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method    string
		size            int
		full            bool
		charged, status int
	}{
		{"a small one", "GET", 4000, true, 0, 200},
		{"a large one", "GET", 100_000, false, 100_000, 200},
		{"a large one without memory", "GET", 100_000, true, 0, 503},
		{"a large one of a change without memory", "POST", 100_000, true, 100_000, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const total = 1 << 20
			memory, workspace := limit.NewBudget[id.UUID](total), id.New()
			before := int64(0)
			if c.full {
				before = total / 4
				memory.Charge(workspace, before)
			}
			e := httpx.New(httpx.Deps{Log: slog.New(slog.DiscardHandler), Listener: "api", Memory: memory})
			h := e.Wrap(e.Handle(func(w http.ResponseWriter, r *http.Request) error {
				httpx.ChargeTo(r, workspace)
				return httpx.RawData(w, http.StatusOK, make([]byte, c.size))
			}))
			w := &measuring{ResponseRecorder: httptest.NewRecorder(), used: func() int64 { return memory.Usage().Used - before }}
			h.ServeHTTP(w, httptest.NewRequest(c.method, "/", nil))
			if w.Code != c.status || w.charged != int64(c.charged) {
				t.Errorf("answer = %d with %d bytes charged, want %d with %d", w.Code, w.charged, c.status, c.charged)
			}
			if got := memory.Usage().Used; got != before {
				t.Errorf("%d bytes are charged after the answer, want the %d from before", got, before)
			}
		})
	}
}

// measuring notes what is charged while an answer is written.
type measuring struct {
	*httptest.ResponseRecorder
	used    func() int64
	charged int64
}

func (m *measuring) Write(b []byte) (int, error) {
	m.charged = max(m.charged, m.used())
	return m.ResponseRecorder.Write(b)
}
