package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
)

func newSecretKey(name string) string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return name + ":" + base64.StdEncoding.EncodeToString(raw)
}

func TestSecretKeys(t *testing.T) {
	t.Parallel()
	env := environment(pgtest.URL(t), redistest.Start(t).URL())
	first, second := newSecretKey("k1"), newSecretKey("k2")
	wantStatus := func(when string, rows ...string) {
		t.Helper()
		text := must(t, env, "secrets", "status")
		for _, row := range rows {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), row) {
				t.Errorf("%s: secrets status =\n%s\nwant a row %q", when, text, row)
			}
		}
		if n := strings.Count(text, "\n"); n != 1+len(rows) {
			t.Errorf("%s: secrets status =\n%s\nwant %d rows", when, text, len(rows))
		}
	}
	_, key := newTenant(t, env)
	g := start(t, env)
	hook := func() {
		t.Helper()
		status, text := g.send(g.api+"/api/v1/webhooks", key, `{"url":"https://hooks.example.com"}`, nil)
		if status != 201 {
			t.Fatalf("POST webhooks = %d %s", status, text)
		}
	}
	hook()
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	wantStatus("without keys", "- 1 0 0 clear")
	if _, err := command(env, "secrets", "rotate"); err == nil || !strings.Contains(err.Error(), "LEADGATE_SECRET_KEYS") {
		t.Errorf("secrets rotate without keys = %v, want it to name the setting", err)
	}

	file := filepath.Join(t.TempDir(), "keys") // as a secret is mounted
	if err := os.WriteFile(file, []byte(first+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env["LEADGATE_SECRET_KEYS_FILE"] = file
	g = start(t, env)
	hook()
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	wantStatus("with a key", "- 1 0 0 clear", "k1 1 0 0 first")
	delete(env, "LEADGATE_SECRET_KEYS_FILE")
	env["LEADGATE_SECRET_KEYS"] = second + "," + first
	wantStatus("with a new key in front", "- 1 0 0 clear", "k1 1 0 0 configured")
	if text := must(t, env, "secrets", "rotate"); !strings.Contains(text, `"k2": the secrets of 2 endpoints and 0 forms`) {
		t.Errorf("secrets rotate = %s, want 2 endpoints under k2", text)
	}
	wantStatus("rotated", "k2 2 0 0 first")
	if text := must(t, env, "secrets", "rotate", "--json"); !strings.Contains(text, `"endpoints": 0`) {
		t.Errorf("secrets rotate again = %s, want nothing left to do", text)
	}

	env["LEADGATE_SECRET_KEYS"] = first
	wantStatus("with the new key missing", "k2 2 0 0 missing")
	err := run(t.Context(), nil, func(name string) string { return env[name] }, io.Discard)
	if err == nil || !strings.Contains(err.Error(), `"k2"`) || !strings.Contains(err.Error(), "2 endpoints") {
		t.Errorf("run() without the key = %v, want it to refuse and name k2", err)
	}
	env["LEADGATE_SECRET_KEYS"] = "k1:$(openssl rand -base64 32)"
	if err := run(t.Context(), nil, func(name string) string { return env[name] }, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "--secret-keys") {
		t.Errorf("run() with shell text for a key = %v, want an error about --secret-keys", err)
	}
}

// Secrets in clear are told once, at the start.
func TestStartWithoutSecretKeysWarns(t *testing.T) {
	t.Parallel()
	env := environment(pgtest.URL(t), redistest.Start(t).URL())
	for name, c := range map[string]struct {
		keys string
		want int
	}{"without keys": {"", 1}, "with a key": {newSecretKey("k"), 0}} {
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		env["LEADGATE_SECRET_KEYS"] = c.keys
		err := run(ctx, nil, func(name string) string { return env[name] }, stopAt{&log, "listening", cancel})
		if err != nil || strings.Count(log.String(), `"secrets stored in clear"`) != c.want {
			t.Errorf("%s: run() = %v with the log\n%s\nwant %d warnings", name, err, &log, c.want)
		}
	}
}

// stopAt ends a process when it has logged something.
type stopAt struct {
	io.Writer
	what string
	stop func()
}

func (s stopAt) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(s.what)) {
		s.stop()
	}
	return s.Writer.Write(line)
}
