package pgtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/conn"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// Two tests' databases are migrated and know nothing of each other.
func TestNewIsMigratedAndAlone(t *testing.T) {
	t.Parallel()
	one, two := pgtest.New(t), pgtest.New(t)
	for _, db := range []*pg.DB{one, two} {
		if err := db.CheckSchema(t.Context()); err != nil {
			t.Fatalf("CheckSchema() = %v, want nil", err)
		}
	}
	pgtest.Exec(t, one, "create table only_here (n int)")
	var there bool
	if err := two.GetContext(t.Context(), &there, "select to_regclass('only_here') is not null"); err != nil || there {
		t.Errorf("the other test's table is here: %v, %v", there, err)
	}
}

func TestDropsAtTheEnd(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("inner", func(t *testing.T) {
		url = pgtest.OwnerURL(t)
		db, err := pg.Open(url, pg.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.PingContext(t.Context()); err != nil { // stays connected, which must not keep the database
			t.Fatal(err)
		}
	})
	db, err := pg.Open(url, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.PingContext(t.Context()); conn.SQLState(err) != "3D000" {
		t.Errorf("Ping after the test = %v, want no such database", err)
	}
}

func TestStartIsOwnCluster(t *testing.T) {
	t.Parallel()
	p, url := pgtest.Start(t)
	db, err := pg.Open(url, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.CheckSchema(t.Context()); err != nil {
		t.Fatalf("CheckSchema() = %v, want nil", err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := db.PingContext(t.Context()); err == nil {
		t.Error("Postgres answers after Stop")
	}
	if err := pgtest.New(t).PingContext(t.Context()); err != nil {
		t.Errorf("the shared cluster = %v, want it untouched", err)
	}
}

// What a test that was killed left of its own cluster is gone once another test asks for one.
func TestStartRemovesWhatTheKilledLeft(t *testing.T) {
	t.Parallel()
	directory := func(t *testing.T) (dir string) {
		_, url := pgtest.Start(t)
		db, err := pg.Open(url, pg.Options{})
		if err == nil {
			err = db.GetContext(t.Context(), &dir, "show data_directory")
			db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	if file := os.Getenv("PGTEST_KILLED"); file != "" {
		if err := os.WriteFile(file, []byte(directory(t)), 0o600); err != nil {
			t.Fatal(err)
		}
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	file := filepath.Join(t.TempDir(), "directory")
	killed := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	killed.Env = append(os.Environ(), "PGTEST_KILLED="+file)
	if out, err := killed.CombinedOutput(); err == nil || len(out) > 0 {
		t.Fatalf("the other test process ended with %v: %s", err, out)
	}
	left, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	beside := directory(t)
	directory(t)
	if _, err := os.Stat(beside); err != nil {
		t.Errorf("the cluster of a test that runs = %v", err)
	}
	if _, err := os.Stat(string(left)); err == nil {
		t.Errorf("%s is still there", left)
	}
}

// The fixtures make what their changes ask for.
func TestFixtures(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ws := pgtest.Workspace(t, db, func(w *tenant.Workspace) { w.Name = "Acme" }).ID
	if w, err := db.GetWorkspace(t.Context(), ws); err != nil || w.Name != "Acme" {
		t.Errorf("GetWorkspace() = %+v, %v, want it called Acme", w, err)
	}
	bot := pgtest.Chatbot(t, db, ws)
	if there, err := db.ChatbotExists(t.Context(), ws, bot.ID); err != nil || !there {
		t.Errorf("ChatbotExists() = %v, %v, want true", there, err)
	}
	k, secret := pgtest.Key(t, db, ws, func(k *tenant.Key) { k.Scopes = []tenant.Scope{tenant.LeadsRead} })
	hash, _ := tenant.HashSecret(secret)
	if p, err := db.PrincipalByHash(t.Context(), hash, time.Now()); err != nil || p.WorkspaceID != ws || p.KeyID != k.ID ||
		len(p.Scopes) != 1 {
		t.Errorf("PrincipalByHash() = %+v, %v, want key %v with one scope", p, err, k.ID)
	}
	e := pgtest.Endpoint(t, db, ws, func(e *webhook.Endpoint) { e.EventTypes = []string{webhook.LeadCreated} })
	l := pgtest.Lead(t, db, ws, func(l *lead.Lead) { l.Email, l.ChatbotID = "Ada@Example.com", bot.ID })
	got, err := db.GetLead(t.Context(), ws, l.ID)
	if err != nil || got.Email != "Ada@Example.com" || got.UniqueKey != "ada@example.com" || got.ChatbotID != bot.ID {
		t.Errorf("GetLead() = %+v, %v, want the lead of Ada", got, err)
	}
	if n := len(pgtest.Leads(t, db, ws, 3)); n != 3 {
		t.Errorf("Leads(3) made %d", n)
	}
	var deliveries int
	if err := db.GetContext(t.Context(), &deliveries,
		"select count(*) from deliveries where workspace_id = $1 and endpoint_id = $2", ws, e.ID); err != nil ||
		deliveries != 4 {
		t.Errorf("deliveries = %d, %v, want one for each of 4 leads", deliveries, err)
	}
}
