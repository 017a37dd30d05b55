package pg_test

import (
	"sync"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// However many ask for a workspace's sandbox at once, they all get the same, it is made once, and it has the settings
// of then but nothing suppressed.
func TestSandboxIsMadeOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	live := mustCreateWorkspace(t, db, "Acme")
	mustUpdate(t, db, live.ID, func(w *tenant.Workspace) { w.Settings.Rate, w.Settings.Suppressing = 5, true })
	if sandbox, err := db.Sandbox(t.Context(), live.ID); err != nil || sandbox != (id.UUID{}) {
		t.Fatalf("Sandbox before = %v, %v, want none", sandbox, err)
	}
	var all sync.WaitGroup
	made := make([]id.UUID, 8)
	for i := range made {
		all.Go(func() {
			sandbox := tenant.Workspace{ID: id.New(), TestOf: live.ID, CreatedAt: tenantEpoch}
			var err error
			if made[i], err = db.EnsureSandbox(t.Context(), sandbox, tenant.NewAuditEntry(live.ID, id.New(),
				tenant.WorkspaceCreated, "ws", nil, time.Now())); err != nil {
				t.Errorf("MakeSandbox = %v", err)
			}
		})
	}
	all.Wait()
	for _, sandbox := range made {
		if sandbox != made[0] || sandbox == live.ID {
			t.Errorf("MakeSandbox = %v and %v, want one", sandbox, made[0])
		}
	}
	w, err := db.GetWorkspace(t.Context(), made[0])
	if err != nil || w.Name != "Acme (test)" || w.TestOf != live.ID || w.Settings.Rate != 5 || w.Settings.Suppressing {
		t.Errorf("the sandbox = %+v, %v, want the settings of the live workspace, and nothing suppressed", w, err)
	}
	if notes, err := db.ListAudit(t.Context(), live.ID, id.UUID{}, 10); err != nil || len(notes) != 1 {
		t.Errorf("audit = %v, %v, want it made once", notes, err)
	}
	for name, of := range map[string]id.UUID{"a sandbox": made[0], "nothing": id.New()} {
		if _, err := db.EnsureSandbox(t.Context(), tenant.Workspace{ID: id.New(), TestOf: of,
			CreatedAt: tenantEpoch}); !fault.Is(err, fault.NotFound) {
			t.Errorf("MakeSandbox(of %s) = %v, want NOT_FOUND", name, err)
		}
	}
}

// Of keys that have ended the newest are kept, so that making and revoking keys for ever does not fill a table.
func TestEndedKeysAreForgotten(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	mine, theirs := mustCreateWorkspace(t, db, "mine"), mustCreateWorkspace(t, db, "theirs")
	for _, w := range []id.UUID{mine.ID, theirs.ID} {
		if _, err := db.ExecContext(t.Context(), `
insert into api_keys (workspace_id, id, hash, hint, name, scopes, created_at, revoked_at)
select $1::uuid, gen_random_uuid(), decode(md5($1::uuid::text || n), 'hex'), '', '', '{}', now(), now() from generate_series(1, 1100) n`, w); err != nil {
			t.Fatal(err)
		}
	}
	live, _ := mustCreateKey(t, db, mine.ID, 1)
	count := func(w id.UUID) (n int) {
		t.Helper()
		if err := db.GetContext(t.Context(), &n, `select count(*) from api_keys where workspace_id = $1`, w); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := count(mine.ID); got != 1001 {
		t.Errorf("a workspace has %d keys, want 1000 that ended and a live one", got)
	}
	if got := count(theirs.ID); got != 1100 {
		t.Errorf("another workspace has %d keys, want its 1100", got)
	}
	if _, err := db.GetKey(t.Context(), mine.ID, live.ID); err != nil {
		t.Errorf("GetKey(live) = %v, want it", err)
	}
}
