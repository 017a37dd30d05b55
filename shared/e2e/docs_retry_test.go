package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// moody is an API that answers one request after another as it is told to.
type moody struct {
	*httptest.Server
	mu   sync.Mutex
	keys []string // of the requests so far
}

func newMoody(t *testing.T, answers ...http.HandlerFunc) *moody {
	t.Helper()
	m := &moody{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		n := len(m.keys)
		m.keys = append(m.keys, r.Header.Get("Idempotency-Key"))
		m.mu.Unlock()
		answers[min(n, len(answers)-1)](w, r)
	}))
	t.Cleanup(m.Close)
	return m
}

func says(status int, retryAfter, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// The examples that repeat safely do so, under one key, until there is an answer: when the connection breaks off, a
// proxy answers, the rate limit is reached. What no repetition makes right ends them at once.
func TestDocsExamplesRepeat(t *testing.T) {
	t.Parallel()
	sys := mustSystem(t)
	for _, e := range readExamples(t, request(t, "GET", sys.URL+"/docs", "", "").body) {
		if e.name != "once" {
			continue
		}
		t.Run(e.lang, func(t *testing.T) {
			t.Parallel()
			tool := mustTool(t, langs[e.lang].tool)
			if e.lang == "python" && exec.Command(tool, "-c", "import requests").Run() != nil {
				t.Skip("the Python package requests is not installed")
			}
			api := newMoody(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
				says(503, "1", "<html>a proxy"), says(429, "1", `{"success":false,"error":"slow","code":"RATE_LIMITED"}`),
				says(409, "1", `{"success":false,"error":"soon","code":"IDEMPOTENCY_IN_PROGRESS"}`),
				says(201, "", `{"success":true,"data":{"id":"lead_made"}}`))
			out, err := runText(t, t.TempDir(), tool, e.lang, strings.ReplaceAll(e.text, sys.URL, api.URL))
			if err != nil || !strings.Contains(out, "lead_made") {
				t.Errorf("the example = %v, want lead_made:\n%s", err, out)
			}
			if len(api.keys) != 5 || api.keys[0] == "" || strings.Count(strings.Join(api.keys, " "), api.keys[0]) != 5 {
				t.Errorf("keys of the requests = %q, want one key five times", api.keys)
			}
			if e.lang == "curl" { // it cannot tell what a repetition makes right
				return
			}
			api = newMoody(t, says(400, "", `{"success":false,"error":"Validation failed","code":"VALIDATION_ERROR"}`))
			out, err = runText(t, t.TempDir(), tool, e.lang, strings.ReplaceAll(e.text, sys.URL, api.URL))
			if err == nil || !strings.Contains(out, "VALIDATION_ERROR") || len(api.keys) != 1 {
				t.Errorf("the example with a mistake = %v after %d requests, want it told after one:\n%s", err, len(api.keys), out)
			}
		})
	}
}
