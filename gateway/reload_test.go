package main

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
)

// The level of the log and the keys of secrets change with their files, while requests go on; what is wrong in a file
// changes nothing, and SIGHUP ends nothing.
func TestSettingsAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := func(id, with string) string {
		return id + ":" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(with, 32)))
	}
	k1, k2 := key("k1", "a"), key("k2", "b")
	env := environment(pgtest.URL(t), redistest.Start(t).URL())
	env["LEADGATE_LOG_LEVEL_FILE"], env["LEADGATE_SECRET_KEYS_FILE"] = write("level", "info"), write("keys", k1)
	g := start(t, env)
	_, secret := newTenant(t, map[string]string{"DATABASE_URL": env["DATABASE_URL"], "LEADGATE_SECRET_KEYS": k1})
	db, err := pg.Open(env["DATABASE_URL"], pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	webhook := func(name string) (sealedWith string) {
		t.Helper()
		var made struct{ ID string }
		if status, text := g.send(g.api+"/api/v1/webhooks", secret, `{"url":"https://93.184.215.14/`+name+`"}`,
			&made); status != http.StatusCreated {
			t.Fatalf("POST webhook = %d %s, want 201", status, text)
		}
		const q = `select split_part(secret, '§', 2) from endpoints where url like '%' || $1`
		if err := db.GetContext(t.Context(), &sealedWith, q, name); err != nil {
			t.Fatal(err)
		}
		return sealedWith
	}
	reload := func(until string) {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		testwait.Until(t, until, func() bool { return strings.Contains(g.log(), until) })
	}
	if got := webhook("first"); got != "k1" {
		t.Errorf("the first secret is sealed with %q, want k1", got)
	}
	write("keys", k2)
	reload(`the secrets of 1 endpoints and 0 forms are sealed with the key \"k1\"`)
	write("keys", "k2:short")
	reload(`the key \"k2\" must be 32 bytes`)
	write("keys", k2+","+k1)
	reload(`"msg":"setting changed","service":"gateway","setting":"LEADGATE_SECRET_KEYS"`)
	if got := webhook("second"); got != "k2" {
		t.Errorf("the second secret is sealed with %q, want k2", got)
	}
	write("level", "loud")
	reload(`"msg":"setting not changed","service":"gateway","setting":"LEADGATE_LOG_LEVEL"`)
	write("level", "debug")
	reload(`"msg":"setting changed","service":"gateway","setting":"LEADGATE_LOG_LEVEL"`)
	write("level", "error")
	again := strings.Count(g.log(), "SIGHUP")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "the last line", func() bool { return strings.Count(g.log(), "SIGHUP") > again })
	if err := g.stop(); err != nil {
		t.Errorf("run() = %v after a stop, want nil", err)
	}
	if strings.Contains(g.log(), `"msg":"stopping"`) {
		t.Error("lines of level info go on after it was set to error")
	}
	if strings.Contains(g.log(), strings.TrimPrefix(k1, "k1:")) || strings.Contains(g.log(), "YmJi") {
		t.Error("the log has a key")
	}
}
