package pg_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// mustCreateKey makes a key whose hash is its number.
func mustCreateKey(t *testing.T, db *pg.DB, workspace id.UUID, number byte) (tenant.Key, [32]byte) {
	t.Helper()
	k := tenant.Key{
		WorkspaceID: workspace, ID: id.New(), Name: "key", Hint: "abcd", Kind: tenant.SecretKey,
		Scopes: []tenant.Scope{tenant.LeadsRead, tenant.LeadsWrite}, CreatedAt: tenantEpoch,
	}
	hash := [32]byte{number}
	if err := db.CreateKey(t.Context(), k, hash); err != nil {
		t.Fatalf("CreateKey = %v", err)
	}
	return k, hash
}

// opens reports whether the key of hash is live at now.
func opens(t *testing.T, db *pg.DB, hash [32]byte, now time.Time) bool {
	t.Helper()
	_, err := db.PrincipalByHash(t.Context(), hash, now)
	if err != nil && !fault.Is(err, fault.Unauthorized) {
		t.Fatalf("PrincipalByHash = %v, want a principal or UNAUTHORIZED", err)
	}
	return err == nil
}

func TestPrincipalByHash(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "w")
	k, hash := mustCreateKey(t, db, w.ID, 1)
	mustUpdate(t, db, w.ID, func(w *tenant.Workspace) { w.Settings.Rate = 5 })
	got, err := db.PrincipalByHash(t.Context(), hash, tenantEpoch)
	if err != nil {
		t.Fatal(err)
	}
	want := tenant.Principal{WorkspaceID: w.ID, KeyID: k.ID, Kind: tenant.SecretKey, Scopes: k.Scopes,
		Settings: tenant.Settings{Rate: 5}.WithDefaults()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("PrincipalByHash (-want +got):\n%s", diff)
	}
	if opens(t, db, [32]byte{2}, tenantEpoch) {
		t.Error("an unknown hash opens the workspace")
	}
}

func TestRotationOverlaps(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "w")
	old, oldHash := mustCreateKey(t, db, w.ID, 1)
	next, nextHash := old, [32]byte{2}
	next.ID, next.CreatedAt = id.New(), tenantEpoch.Add(time.Hour)
	end := tenantEpoch.Add(25 * time.Hour)
	if err := db.RotateKey(t.Context(), w.ID, old.ID, end, next, nextHash); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at        time.Time
		old, next bool
	}{{end.Add(-time.Second), true, true}, {end, false, true}} {
		if got := opens(t, db, oldHash, c.at); got != c.old {
			t.Errorf("old key at %v opens = %v, want %v", c.at, got, c.old)
		}
		if got := opens(t, db, nextHash, c.at); got != c.next {
			t.Errorf("new key at %v opens = %v, want %v", c.at, got, c.next)
		}
	}
	// A second rotation never gives the old key more time.
	third := next
	third.ID = id.New()
	if err := db.RotateKey(t.Context(), w.ID, old.ID, end.Add(time.Hour), third, [32]byte{3}); err != nil {
		t.Fatal(err)
	}
	if opens(t, db, oldHash, end) {
		t.Error("the old key lives on after a second rotation")
	}
}

func TestRotateOnlyLiveKeysOfTheWorkspace(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	mine, theirs := mustCreateWorkspace(t, db, "mine"), mustCreateWorkspace(t, db, "theirs")
	revoked, _ := mustCreateKey(t, db, mine.ID, 1)
	if err := db.RevokeKey(t.Context(), mine.ID, revoked.ID, tenantEpoch); err != nil {
		t.Fatal(err)
	}
	foreign, foreignHash := mustCreateKey(t, db, theirs.ID, 2)
	for name, old := range map[string]id.UUID{"revoked": revoked.ID, "foreign": foreign.ID, "unknown": id.New()} {
		next := revoked
		next.ID = id.New()
		err := db.RotateKey(t.Context(), mine.ID, old, tenantEpoch, next, [32]byte{9})
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("RotateKey(%s) = %v, want NOT_FOUND", name, err)
		}
	}
	if opens(t, db, [32]byte{9}, tenantEpoch) {
		t.Error("a refused rotation left its new key behind")
	}
	if !opens(t, db, foreignHash, tenantEpoch) {
		t.Error("a refused rotation ended another workspace's key")
	}
}

func TestRevokeKey(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	mine, theirs := mustCreateWorkspace(t, db, "mine"), mustCreateWorkspace(t, db, "theirs")
	k, hash := mustCreateKey(t, db, mine.ID, 1)
	if err := db.RevokeKey(t.Context(), theirs.ID, k.ID, tenantEpoch); !fault.Is(err, fault.NotFound) {
		t.Errorf("RevokeKey by another workspace = %v, want NOT_FOUND", err)
	}
	if !opens(t, db, hash, tenantEpoch) {
		t.Fatal("another workspace revoked the key")
	}
	for _, at := range []time.Time{tenantEpoch, tenantEpoch.Add(time.Hour)} {
		if err := db.RevokeKey(t.Context(), mine.ID, k.ID, at); err != nil {
			t.Fatal(err)
		}
	}
	if opens(t, db, hash, tenantEpoch) {
		t.Error("a revoked key opens the workspace")
	}
	got, err := db.GetKey(t.Context(), mine.ID, k.ID)
	if err != nil {
		t.Fatal(err)
	}
	k.RevokedAt = &tenantEpoch // the first time counts
	if diff := cmp.Diff(k, got); diff != "" {
		t.Errorf("GetKey (-want +got):\n%s", diff)
	}
}

func TestTouchKeys(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "w")
	a, _ := mustCreateKey(t, db, w.ID, 1)
	b, _ := mustCreateKey(t, db, w.ID, 2)
	late := tenantEpoch.Add(time.Minute)
	for _, uses := range [][]tenant.KeyUse{
		{{WorkspaceID: w.ID, KeyID: a.ID, At: late}},
		{{WorkspaceID: w.ID, KeyID: a.ID, At: tenantEpoch}, {WorkspaceID: w.ID, KeyID: b.ID, At: tenantEpoch},
			{WorkspaceID: w.ID, KeyID: id.New(), At: late}},
		nil,
	} {
		if err := db.TouchKeys(t.Context(), uses); err != nil {
			t.Fatal(err)
		}
	}
	all, err := db.ListKeys(t.Context(), w.ID, id.UUID{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	a.LastUsedAt, b.LastUsedAt = &late, &tenantEpoch // an older use never sets the time back
	if diff := cmp.Diff([]tenant.Key{b, a}, all); diff != "" {
		t.Errorf("ListKeys (-want +got):\n%s", diff)
	}
	if older, err := db.ListKeys(t.Context(), w.ID, b.ID, 10); err != nil || len(older) != 1 || older[0].ID != a.ID {
		t.Errorf("ListKeys before the newest = %v, %v, want the other one", older, err)
	}
}

func TestLiveKeyLimit(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "full")
	const fill = `
insert into api_keys (workspace_id, id, hash, hint, name, scopes, created_at, revoked_at)
select $1, gen_random_uuid(), cast(gen_random_uuid()::text as bytea), '', '', '{}', now(), case when n > 999 then now() end from generate_series(1, 1100) as n`
	if _, err := db.ExecContext(t.Context(), fill, w.ID); err != nil {
		t.Fatal(err)
	}
	created := createAtOnce(t, 8, func(n int) error { // of which one is the 1000th live one
		return db.CreateKey(t.Context(), tenant.Key{WorkspaceID: w.ID, ID: id.New(), CreatedAt: tenantEpoch}, [32]byte{byte(n)})
	})
	if created != 1 {
		t.Errorf("CreateKey made %d keys beside 999, want 1 and CONFLICT for the others", created)
	}
}

// createAtOnce returns how many of n simultaneous creations were let through; the others have to be CONFLICT.
func createAtOnce(t *testing.T, n int, create func(n int) error) int {
	t.Helper()
	var all sync.WaitGroup
	var created atomic.Int64
	for i := range n {
		all.Go(func() {
			err := create(i)
			if err == nil {
				created.Add(1)
			} else if !fault.Is(err, fault.Conflict) {
				t.Errorf("creation = %v, want CONFLICT", err)
			}
		})
	}
	all.Wait()
	return int(created.Load())
}
