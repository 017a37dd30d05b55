package pg_test

import (
	"context"
	"crypto/sha256"
	"strconv"
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

// newSession is a session of an hour that a link of five minutes opens.
func newSession(workspace id.UUID, scopes ...tenant.Scope) tenant.Session {
	until := tenantEpoch.Add(5 * time.Minute)
	return tenant.Session{WorkspaceID: workspace, ID: id.New(), Name: "Ada", Scopes: scopes,
		FrameOrigins: []string{"https://app.example.com"}, Brand: tenant.Brand{Name: "Acme", Accent: "#0a7cff"},
		CreatedAt: tenantEpoch, ExpiresAt: tenantEpoch.Add(time.Hour), LinkExpiresAt: &until}
}

func mustCreateSession(t *testing.T, db *pg.DB, s tenant.Session, link byte) {
	t.Helper()
	if err := db.CreateSession(t.Context(), s, [32]byte{link}); err != nil {
		t.Fatalf("CreateSession = %v", err)
	}
}

func noNote(tenant.Session) *tenant.AuditEntry { return nil }

// openLink opens the session of a link under a secret, and reports whether that worked.
func openLink(t *testing.T, db *pg.DB, link, secret byte, now time.Time) bool {
	t.Helper()
	_, err := db.OpenSession(t.Context(), [32]byte{link}, [32]byte{secret}, now, noNote)
	if err != nil && !fault.Is(err, fault.Unauthorized) {
		t.Fatalf("OpenSession = %v, want a session or UNAUTHORIZED", err)
	}
	return err == nil
}

// signedIn reports whether a secret opens a live session.
func signedIn(t *testing.T, db *pg.DB, secret byte, now time.Time) bool {
	t.Helper()
	_, _, err := db.SessionByHash(t.Context(), [32]byte{secret}, now)
	if err != nil && !fault.Is(err, fault.Unauthorized) {
		t.Fatalf("SessionByHash = %v, want a session or UNAUTHORIZED", err)
	}
	return err == nil
}

func TestSessionIsOpenedByItsLink(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "w")
	want := newSession(w.ID, tenant.LeadsRead)
	mustCreateSession(t, db, want, 1)
	if signedIn(t, db, 1, tenantEpoch) {
		t.Error("a link is taken for a secret")
	}
	at := tenantEpoch.Add(time.Minute)
	got, err := db.OpenSession(t.Context(), [32]byte{1}, [32]byte{2}, at, noNote)
	want.OpenedAt = &at
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("OpenSession = %v (-want +got):\n%s", err, diff)
	}
	if openLink(t, db, 1, 3, at) || signedIn(t, db, 3, at) {
		t.Error("a link opened its session twice")
	}
	p, got, err := db.SessionByHash(t.Context(), [32]byte{2}, at)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("SessionByHash = %v (-want +got):\n%s", err, diff)
	}
	wantP := tenant.Principal{WorkspaceID: w.ID, SessionID: want.ID, Kind: tenant.SecretKey, Scopes: want.Scopes,
		Settings: tenant.Settings{}.WithDefaults()}
	if diff := cmp.Diff(wantP, p); diff != "" {
		t.Errorf("its principal (-want +got):\n%s", diff)
	}
	if signedIn(t, db, 2, want.ExpiresAt) {
		t.Error("a session outlives its end")
	}
}

func TestLinkExpires(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "w")
	s := newSession(w.ID, tenant.LeadsRead)
	mustCreateSession(t, db, s, 1)
	if openLink(t, db, 1, 2, *s.LinkExpiresAt) {
		t.Error("a link works when it has expired")
	}
	if !openLink(t, db, 1, 2, s.LinkExpiresAt.Add(-time.Millisecond)) {
		t.Error("a link does not work until it expires")
	}
}

// Of many who use one link at the same moment, one gets in.
func TestRacingForALink(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "w")
	mustCreateSession(t, db, newSession(w.ID, tenant.LeadsRead), 1)
	var won, secret atomic.Int32
	var all sync.WaitGroup
	for i := range byte(20) {
		all.Go(func() {
			if openLink(t, db, 1, 100+i, tenantEpoch) {
				won.Add(1)
				secret.Store(int32(100 + i))
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || !signedIn(t, db, byte(secret.Load()), tenantEpoch) {
		t.Errorf("%d callers opened one link, want 1, with the secret that works", won.Load())
	}
}

func TestEndSession(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	mine, theirs := mustCreateWorkspace(t, db, "mine"), mustCreateWorkspace(t, db, "theirs")
	opened, waiting := newSession(mine.ID, tenant.LeadsRead), newSession(mine.ID, tenant.LeadsRead)
	mustCreateSession(t, db, opened, 1)
	mustCreateSession(t, db, waiting, 2)
	openLink(t, db, 1, 11, tenantEpoch)
	for what, session := range map[string]id.UUID{"of another workspace": opened.ID, "unknown": id.New()} {
		if err := db.EndSession(t.Context(), theirs.ID, session, tenantEpoch); !fault.Is(err, fault.NotFound) {
			t.Errorf("EndSession(%s) = %v, want NOT_FOUND", what, err)
		}
	}
	if !signedIn(t, db, 11, tenantEpoch) {
		t.Fatal("another workspace ended the session")
	}
	for _, session := range []id.UUID{opened.ID, waiting.ID} {
		for _, at := range []time.Time{tenantEpoch, tenantEpoch.Add(time.Minute)} {
			if err := db.EndSession(t.Context(), mine.ID, session, at); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := db.GetSession(t.Context(), mine.ID, session); err != nil || got.EndedAt == nil ||
			!got.EndedAt.Equal(tenantEpoch) {
			t.Errorf("GetSession = %+v, %v, want that it ended the first time", got, err)
		}
	}
	if signedIn(t, db, 11, tenantEpoch) || openLink(t, db, 2, 12, tenantEpoch) {
		t.Error("an ended session, or the link to one, still works")
	}
}

// All that may do no more than is said end, those that wait for their links too; others stay.
func TestEndSessions(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	mine, theirs := mustCreateWorkspace(t, db, "mine"), mustCreateWorkspace(t, db, "theirs")
	for link, s := range map[byte]tenant.Session{
		1: newSession(mine.ID, tenant.LeadsRead), 2: newSession(mine.ID, tenant.LeadsRead, tenant.LeadsWrite),
		3: newSession(mine.ID, tenant.LeadsWrite), 4: newSession(theirs.ID, tenant.LeadsRead),
	} {
		mustCreateSession(t, db, s, link)
	}
	for _, link := range []byte{1, 2, 4} {
		openLink(t, db, link, 10+link, tenantEpoch)
	}
	told := 0
	note := func(n int) *tenant.AuditEntry { told = n; return nil }
	end := func(scopes ...tenant.Scope) int {
		t.Helper()
		n, err := db.EndSessions(t.Context(), mine.ID, scopes, tenantEpoch, note)
		if err != nil || n > 0 && told != n {
			t.Fatalf("EndSessions = %d, %v, %d told, want what was told", n, err, told)
		}
		return n
	}
	if n := end(tenant.LeadsRead); n != 1 || signedIn(t, db, 11, tenantEpoch) || !signedIn(t, db, 12, tenantEpoch) {
		t.Errorf("EndSessions(leads:read) = %d, want the one that may do no more", n)
	}
	if n := end(tenant.Scopes()...); n != 2 || signedIn(t, db, 12, tenantEpoch) || openLink(t, db, 3, 13, tenantEpoch) {
		t.Errorf("EndSessions(all) = %d, want the two that are left", n)
	}
	if n := end(tenant.Scopes()...); n != 0 {
		t.Errorf("EndSessions again = %d, want none", n)
	}
	if !signedIn(t, db, 14, tenantEpoch) {
		t.Error("another workspace's session was ended")
	}
}

// A thousand sessions are the most; what has ended or expired does not count, nor does one whose link nobody can use.
func TestLiveSessionsAreBounded(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "w")
	fillSessions(t, db, w.ID, 999, tenantEpoch)
	for what, change := range map[string]func(*tenant.Session){
		"expired":         func(s *tenant.Session) { s.ExpiresAt = tenantEpoch },
		"an expired link": func(s *tenant.Session) { s.LinkExpiresAt = &tenantEpoch },
	} {
		s := newSession(w.ID, tenant.LeadsRead)
		change(&s)
		if err := db.CreateSession(t.Context(), s, sha256.Sum256([]byte(what))); err != nil {
			t.Fatal(err)
		}
	}
	last := newSession(w.ID, tenant.LeadsRead)
	mustCreateSession(t, db, last, 1)
	err := db.CreateSession(t.Context(), newSession(w.ID, tenant.LeadsRead), [32]byte{2})
	if f := fault.From(err); !fault.Is(err, fault.Conflict) ||
		f.Public != "A workspace can have at most 1000 live console sessions; end some first" {
		t.Errorf("CreateSession beyond 1000 = %v, want CONFLICT that says what to do", err)
	}
	other := mustCreateWorkspace(t, db, "other")
	mustCreateSession(t, db, newSession(other.ID, tenant.LeadsRead), 3)
	if err := db.EndSession(t.Context(), w.ID, last.ID, tenantEpoch); err != nil {
		t.Fatal(err)
	}
	mustCreateSession(t, db, newSession(w.ID, tenant.LeadsRead), 4)
	if err := db.CreateSession(t.Context(), newSession(id.New()), [32]byte{5}); !fault.Is(err, fault.NotFound) {
		t.Errorf("CreateSession of no workspace = %v, want NOT_FOUND", err)
	}
}

// fillSessions makes opened sessions that began at a time and live an hour.
func fillSessions(t *testing.T, db *pg.DB, workspace id.UUID, n int, at time.Time) {
	t.Helper()
	const q = `
insert into console_sessions (workspace_id, id, name, scopes, frame_origins, brand, secret_hash, created_at, opened_at, expires_at)
select $1, delivery_id(uuid_floor(now()), gen_random_uuid()), '', '{leads:read}', '{}', '{}',
       sha256(convert_to($4 || n, 'utf8')), $3, $3, cast($3 as timestamptz) + interval '1 hour'
  from generate_series(1, cast($2 as integer)) n`
	if _, err := db.ExecContext(t.Context(), q, workspace, n, at, workspace.String()+strconv.FormatInt(at.Unix(),
		10)); err != nil {
		t.Fatal(err)
	}
}

func TestListSessions(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w, other := mustCreateWorkspace(t, db, "w"), mustCreateWorkspace(t, db, "other")
	var want []tenant.Session
	for link := range byte(3) {
		s := newSession(w.ID, tenant.LeadsRead)
		mustCreateSession(t, db, s, link)
		want = append([]tenant.Session{s}, want...)
	}
	mustCreateSession(t, db, newSession(other.ID, tenant.LeadsRead), 9)
	got, err := db.ListSessions(t.Context(), w.ID, id.UUID{}, 2)
	if diff := cmp.Diff(want[:2], got); err != nil || diff != "" {
		t.Errorf("ListSessions = %v (-want +got):\n%s", err, diff)
	}
	got, err = db.ListSessions(t.Context(), w.ID, want[1].ID, 2)
	if diff := cmp.Diff(want[2:], got); err != nil || diff != "" {
		t.Errorf("the next page = %v (-want +got):\n%s", err, diff)
	}
}

func TestDeleteOldSessions(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := mustCreateWorkspace(t, db, "w")
	now := time.Now()
	fillSessions(t, db, w.ID, 1500, now.Add(-7*24*time.Hour-61*time.Minute))
	fillSessions(t, db, w.ID, 3, now.Add(-7*24*time.Hour-59*time.Minute))
	if n, err := db.DeleteOldSessions(t.Context()); err != nil || n != 1500 {
		t.Errorf("DeleteOldSessions = %d, %v, want those that expired 7 days ago", n, err)
	}
	if left, err := db.ListSessions(t.Context(), w.ID, id.UUID{}, 1000); err != nil || len(left) != 3 {
		t.Errorf("%d are left, %v, want 3", len(left), err)
	}
}

// sessionCases are the statements about console sessions, of which a workspace has many that have ended.
func (s *stale) sessionCases() []staleCase {
	now := time.Now().UTC()
	var hash [32]byte
	next := func() {
		made := newSession(s.ws, tenant.LeadsRead)
		hash = sha256.Sum256(made.ID[:])
		made.CreatedAt, made.ExpiresAt = now, now.Add(time.Hour)
		until := now.Add(time.Minute)
		made.LinkExpiresAt = &until
		if err := s.silent.CreateSession(s.Context(), made, hash); err != nil {
			s.Fatal(err)
		}
	}
	return []staleCase{
		{"create a session", 1, nil, func(ctx context.Context, db *pg.DB) error {
			made := newSession(s.ws, tenant.LeadsRead)
			made.CreatedAt, made.ExpiresAt = now, now.Add(time.Hour)
			return db.CreateSession(ctx, made, sha256.Sum256(made.ID[:]))
		}},
		{"open a session", 1, next, func(ctx context.Context, db *pg.DB) error {
			_, err := db.OpenSession(ctx, hash, [32]byte{1}, now, noNote)
			return err
		}},
		{"look a session up", 1, nil, func(ctx context.Context, db *pg.DB) error {
			_, _, err := db.SessionByHash(ctx, [32]byte{1}, now)
			return err
		}},
		{"list sessions", 50, nil, func(ctx context.Context, db *pg.DB) error {
			all, err := db.ListSessions(ctx, s.ws, id.UUID{}, 50)
			return wantCount(err, len(all), 50)
		}},
		{"end all sessions", 2, next, func(ctx context.Context, db *pg.DB) error {
			n, err := db.EndSessions(ctx, s.ws, tenant.Scopes(), now, func(int) *tenant.AuditEntry { return nil })
			return wantCount(err, n, 2)
		}},
		{"delete old sessions", 5, func() {
			s.exec(`
update console_sessions set expires_at = now() - interval '8 days'
 where workspace_id = $1 and id in (select id from console_sessions where workspace_id = $1 order by id limit 5)`, s.ws)
		}, func(ctx context.Context, db *pg.DB) error {
			n, err := db.DeleteOldSessions(ctx)
			return wantCount(err, n, 5)
		}},
	}
}
