package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadgate/shared/client"
)

// hurried returns how long these tests wait for an API that has stopped.
func hurried() client.Options {
	return client.Options{AnswerTimeout: 300 * time.Millisecond, IdleTimeout: 600 * time.Millisecond}
}

// stuck is an API that begins as asked, and then does nothing until the test has ended.
func stuck(t *testing.T, begin func(w http.ResponseWriter)) string {
	t.Helper()
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begin(w)
		<-over
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(over) })
	return s.URL
}

// within fails the test when do is far from ending as soon as it should.
func within(t *testing.T, do func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := do(ctx)
	if ctx.Err() != nil {
		t.Fatal("it waits for an API that has stopped")
	}
	return err
}

func TestCommandsDoNotWaitForever(t *testing.T) {
	t.Parallel()
	silent := stuck(t, func(http.ResponseWriter) {})
	stalled := stuck(t, func(w http.ResponseWriter) {
		io.WriteString(w, "id\nlead_1\n")
		http.NewResponseController(w).Flush()
	})
	for name, c := range map[string]struct {
		url, want string
	}{
		"an export that stalls":       {stalled, "broke off after 1 leads: the connection stalled for 600ms"},
		"an export that never begins": {silent, "timeout awaiting response headers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := leadExport{access: access{URL: c.url, Key: "sk"}, exportFile: exportFile{Format: "csv", Out: "-"}}
			var out bytes.Buffer
			err := within(t, func(ctx context.Context) error { return l.run(ctx, hurried(), &out, &out) })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("export = %v, want %q", err, c.want)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "leads.csv")
	// more than sockets hold
	if err := os.WriteFile(file, []byte("email\n"+strings.Repeat("a@example.com\n", 2<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	l := leadImport{File: file, access: access{URL: silent, Key: "sk"}}
	if err := within(t, func(ctx context.Context) error { return l.run(ctx, hurried(), io.Discard, io.Discard) }); err == nil ||
		!strings.Contains(err.Error(), "stalled for 600ms") {
		t.Errorf("an upload that nobody takes = %v, want that it stalled", err)
	}
}

// A key goes nowhere but where it was meant to, and the error says where that may be.
func TestCommandsFollowNoRedirect(t *testing.T) {
	t.Parallel()
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	t.Cleanup(other.Close)
	file := filepath.Join(t.TempDir(), "leads.csv")
	if err := os.WriteFile(file, []byte("email\na@example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{301, 302, 307, 308} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/base"+r.URL.RequestURI(), status)
		}))
		t.Cleanup(s.Close)
		for name, args := range map[string][]string{"export": {"lead", "export", "--q=ann"},
			"import": {"lead", "import", file}} {
			_, err := command(map[string]string{"LEADGATE_URL": s.URL, "LEADGATE_KEY": "sk"}, args...)
			if err == nil || !strings.HasSuffix(err.Error(), "use --url "+other.URL+"/base") || reached {
				t.Errorf("%s with %d = %v, reached the other address: %v, want it named and not reached", name, status, err,
					reached)
			}
		}
	}
	s := httptest.NewServer(http.RedirectHandler(other.URL+"/login", http.StatusFound))
	t.Cleanup(s.Close)
	if _, err := command(map[string]string{"LEADGATE_URL": s.URL, "LEADGATE_KEY": "sk"}, "lead", "export"); err == nil ||
		!strings.Contains(err.Error(), other.URL+"/login, which is not the API") || reached {
		t.Errorf("export where a page to log in is = %v, want that told", err)
	}
}
