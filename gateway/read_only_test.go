package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/devstack"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
)

// A gateway that only reads starts on a standby, is ready, answers what was written to the primary, and refuses what
// writes; any other does not start there.
func TestReadOnlyOnAStandby(t *testing.T) {
	t.Parallel()
	primary, _ := pgtest.Start(t)
	standby, _ := pgtest.Start(t, func(o *devstack.PostgresOptions) { o.StandbyOf = primary })
	redis := redistest.Start(t).URL()
	writer := start(t, environment(primary.URL(pgtest.SystemDB), redis))
	workspace, key := newTenant(t, writer.env)
	if status, text := writer.send(writer.api+"/api/v1/leads", key, `{"email":"ann@example.com"}`, nil); status != http.StatusCreated {
		t.Fatalf("POST /leads = %d %s, want 201", status, text)
	}
	env := environment(standby.URL(pgtest.SystemDB), redis)
	if _, err := command(env); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a gateway that writes, on a standby = %v, want that it is read-only", err)
	}
	env["LEADGATE_READ_ONLY"] = "true"
	reader := start(t, env)
	wantReads(t, reader, key)
	for path, body := range map[string]string{"/api/v1/leads": `{"email":"bob@example.com"}`, "/api/v1/webhooks": `{}`,
		"/api/v1/leads/batch": `{}`} {
		status, text := reader.send(reader.api+path, key, body, nil)
		if status != http.StatusServiceUnavailable || !strings.Contains(text, `"code":"UNAVAILABLE"`) ||
			!strings.Contains(text, "nothing was stored") {
			t.Errorf("POST %s = %d %s, want 503 that says that nothing was stored", path, status, text)
		}
	}
	if status, text := reader.send(reader.api+"/api/v1/leads?since=2026-01-15T10:30:00Z", key, "", nil); status != http.StatusServiceUnavailable {
		t.Errorf("GET since = %d %s, want 503", status, text)
	}
	if _, err := command(env, "key", "create", "--workspace", workspace, "--name", "more"); err == nil {
		t.Error("a key was made on a standby")
	}
	if err := reader.stop(); err != nil {
		t.Errorf("run() = %v", err)
	}
	if text := reader.log(); strings.Contains(text, `"level":"ERROR"`) {
		t.Errorf("it logs errors:\n%s", text)
	}
}

func wantReads(t *testing.T, reader *gateway, key string) {
	t.Helper()
	testwait.Until(t, "the lead on the standby", func() bool {
		_, text := reader.send(reader.api+"/api/v1/leads", key, "", nil)
		return strings.Contains(text, "ann@example.com")
	})
	for _, path := range []string{"/readyz", "/api/v1/leads?q=ann", "/api/v1/workspace", "/api/v1/usage", "/api/v1/books",
		"/api/v1/webhooks", "/api/v1/deliveries", "/api/v1/events", "/api/v1/imports", "/api/v1/speed", "/api/v1/submissions",
		"/docs"} {
		if status, text := reader.send(reader.api+path, key, "", nil); status != http.StatusOK {
			t.Errorf("GET %s = %d %s, want 200", path, status, text)
		}
	}
	for _, path := range []string{"/readyz", "/admin/api/v1/stores", "/admin/api/v1/workspaces", "/admin/api/v1/failing", "/metrics"} {
		if status, text := reader.send(reader.admin+path, token, "", nil); status != http.StatusOK {
			t.Errorf("GET %s of the administrator = %d %s, want 200", path, status, text)
		}
	}
}

// On a primary too, Postgres lets it write nothing.
func TestReadOnlyOnAPrimary(t *testing.T) {
	t.Parallel()
	db, err := pg.Open(pgtest.URL(t), pg.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `delete from workspaces`); err == nil || pg.SQLState(err) != "25006" {
		t.Errorf("a statement that writes = %v, want it refused", err)
	}
	err = db.InTx(t.Context(), func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(t.Context(), `delete from workspaces`)
		return err
	})
	if pg.SQLState(err) != "25006" {
		t.Errorf("a transaction that writes = %v, want it refused", err)
	}
}
