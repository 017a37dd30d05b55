package pg_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/secret"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// sealed is one database, as processes with different keys have it.
type sealed struct {
	*testing.T
	url      string
	old, new string // keys
}

func newSealed(t *testing.T) *sealed {
	return &sealed{t, pgtest.URL(t), secretKey("old"), secretKey("new")}
}

func secretKey(name string) string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return name + ":" + base64.StdEncoding.EncodeToString(raw)
}

// with opens the database as a process with keys.
func (s *sealed) with(keys ...string) *pg.DB {
	s.Helper()
	db, err := pg.Open(s.url, pg.Options{MaxConns: 4})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { db.Close() })
	ring, err := secret.Parse(strings.Join(keys, ","))
	if err != nil {
		s.Fatal(err)
	}
	if err := db.Start(s.Context(), slog.New(slog.DiscardHandler), pg.StartOptions{AllowUnsafe: true,
		Secrets: ring}); err != nil {
		s.Fatal(err)
	}
	return db
}

// mustEndpoint makes an endpoint that has all that can be secret.
func (s *sealed) mustEndpoint(db *pg.DB, workspace id.UUID) webhook.Endpoint {
	s.Helper()
	made := pgtest.Endpoint(s, db, workspace, func(e *webhook.Endpoint) {
		e.Headers = map[string]string{"Authorization": "hunter2-header"}
	})
	e, err := db.UpdateEndpoint(s.Context(), workspace, made.ID, time.Now(), func(e *webhook.Endpoint) error {
		return e.Rotate(webhook.NewSigningKey(), time.Hour, time.Now())
	}, nil)
	if err != nil {
		s.Fatal(err)
	}
	return e
}

func (s *sealed) mustForm(db *pg.DB, workspace id.UUID) tenant.Key {
	s.Helper()
	k, _ := pgtest.Key(s, db, workspace, func(k *tenant.Key) {
		k.Kind, k.Scopes = tenant.PublishableKey, nil
		k.Form = &tenant.Form{Captcha: tenant.Turnstile, CaptchaSecret: "hunter2-captcha", Source: "page"}
	})
	return k
}

// stored returns all that the database has of endpoints and keys.
func (s *sealed) stored(db *pg.DB) (text string) {
	s.Helper()
	const q = `
select concat((select string_agg(cast(e as text), '|') from endpoints e), (select string_agg(cast(k as text), '|') from api_keys k))`
	if err := db.GetContext(s.Context(), &text, q); err != nil {
		s.Fatal(err)
	}
	return text
}

// secretsOf are the texts that nobody must find in Postgres.
func secretsOf(e webhook.Endpoint) []string {
	all := []string{e.Secret, "hunter2-header", "hunter2-captcha"}
	for _, f := range e.Former {
		all = append(all, f.Secret)
	}
	return all
}

func (s *sealed) mustRead(when string, db *pg.DB, want webhook.Endpoint) {
	s.Helper()
	got, err := db.GetEndpoint(s.Context(), want.WorkspaceID, want.ID)
	if err != nil || got.Unreadable != nil {
		s.Fatalf("%s: GetEndpoint() = %v, unreadable: %v", when, err, got.Unreadable)
	}
	type secrets struct {
		Secret  string
		Former  []webhook.FormerSecret
		Headers map[string]string
	}
	if diff := cmp.Diff(secrets{want.Secret, want.Former, want.Headers},
		secrets{got.Secret, got.Former, got.Headers}); diff != "" {
		s.Errorf("%s: the endpoint's secrets (-want +got):\n%s", when, diff)
	}
}

func TestSecretsAreSealed(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it changes rows in a way that Citus refuses")
	s := newSealed(t)
	clear, db := s.with(), s.with(s.new, s.old)
	ws := pgtest.Workspace(t, db).ID
	old := s.mustEndpoint(clear, ws) // of before there were keys
	s.mustRead("in clear", db, old)
	if err := clear.DeleteEndpoint(t.Context(), ws, old.ID); err != nil {
		t.Fatal(err)
	}
	e, k := s.mustEndpoint(db, ws), s.mustForm(db, ws)
	stored := s.stored(db)
	for _, text := range secretsOf(e) {
		if strings.Contains(stored, text) {
			t.Errorf("Postgres has the secret %q in clear: %s", text, stored)
		}
	}
	s.mustRead("sealed", db, e)
	s.mustRead("after the keys changed", s.with(secretKey("newest"), s.new), e)
	got, err := db.GetKey(t.Context(), ws, k.ID)
	if err != nil || got.Form.CaptchaSecret != "hunter2-captcha" || got.Form.Unreadable != nil {
		t.Errorf("GetKey() = %+v, %v, want the captcha's secret", got.Form, err)
	}
	if _, err := db.UpdateKey(t.Context(), ws, k.ID, func(k *tenant.Key) error { k.Name = "renamed"; return nil }); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.stored(db), "hunter2") {
		t.Error("after a change of its name the form's secret is in clear")
	}
	// What was copied to another row, of another tenant perhaps, does not open there.
	other := s.mustEndpoint(db, pgtest.Workspace(t, db).ID)
	const steal = `update endpoints set secret = (select secret from endpoints where id = $1) where id = $2`
	db.MustExecContext(t.Context(), steal, e.ID, other.ID)
	if got, err := db.GetEndpoint(t.Context(), other.WorkspaceID, other.ID); err != nil || got.Unreadable == nil ||
		got.Secret != "" {
		t.Errorf("GetEndpoint() with another's secret = %+v, %v, want it Unreadable", got, err)
	}
}

func TestMissingSecretKey(t *testing.T) {
	t.Parallel()
	s := newSealed(t)
	db := s.with(s.old)
	ws := pgtest.Workspace(t, db).ID
	e, k := s.mustEndpoint(db, ws), s.mustForm(db, ws)
	l := pgtest.Lead(t, db, ws)
	before := s.stored(db)

	without := s.with(s.new)
	log := slog.New(slog.DiscardHandler)
	if err := without.CheckSecrets(t.Context(), log); err == nil || !strings.Contains(err.Error(), `"old"`) {
		t.Errorf("CheckSecrets() = %v, want an error that names the key old", err)
	}
	if err := s.with(s.new, s.old).CheckSecrets(t.Context(), log); err != nil {
		t.Errorf("CheckSecrets() with the key = %v", err)
	}
	leased, err := without.LeaseDue(t.Context(), pg.LeaseRequest{Workspace: ws, Endpoint: e.ID, Token: id.New(),
		Lease: time.Second, Limit: 10})
	if err != nil || len(leased.Due) != 1 || leased.Endpoint.Unreadable == nil ||
		!strings.Contains(leased.Endpoint.Unreadable.Error(), `"old"`) {
		t.Errorf("LeaseDue() = %+v, %v, want lead %v's event and an endpoint whose Unreadable names the key", leased, err, l.ID)
	}
	for name, call := range map[string]func() error{
		"UpdateEndpoint": func() error {
			_, err := without.UpdateEndpoint(t.Context(), ws, e.ID, time.Now(), func(e *webhook.Endpoint) error {
				e.URL = "https://other.example.com"
				return nil
			}, nil)
			return err
		},
		"UpdateKey": func() error {
			_, err := without.UpdateKey(t.Context(), ws, k.ID, func(k *tenant.Key) error { k.Name = "x"; return nil })
			return err
		},
	} {
		if err := call(); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), `"old"`) {
			t.Errorf("%s = %v, want UNAVAILABLE that names the key for the log", name, err)
		}
	}
	if _, _, err := without.SealSecrets(t.Context()); err == nil || !strings.Contains(err.Error(), `"old"`) {
		t.Errorf("SealSecrets() = %v, want an error that names the key", err)
	}
	db.MustExecContext(t.Context(), `update endpoints set drain_token = null, drain_until = null`)
	if after := s.stored(db); after != before {
		t.Errorf("a process without the key wrote over secrets:\n%s\n%s", before, after)
	}
	// What needs no secret goes on.
	if err := without.RevokeKey(t.Context(), ws, k.ID, time.Now()); err != nil {
		t.Errorf("RevokeKey() = %v", err)
	}
	if err := without.DeleteEndpoint(t.Context(), ws, e.ID); err != nil {
		t.Errorf("DeleteEndpoint() = %v", err)
	}
}

// A captcha without its secret must not open the form.
func TestFormWithoutItsSecretKeyIsClosed(t *testing.T) {
	t.Parallel()
	s := newSealed(t)
	db := s.with(s.old)
	ws := pgtest.Workspace(t, db).ID
	text := tenant.NewSecret()
	hash, _ := tenant.HashSecret(text)
	k := tenant.Key{WorkspaceID: ws, ID: id.New(), Kind: tenant.PublishableKey, CreatedAt: time.Now(),
		Form: &tenant.Form{Captcha: tenant.HCaptcha, CaptchaSecret: "x"}}
	if err := db.CreateKey(t.Context(), k, hash); err != nil {
		t.Fatal(err)
	}
	if p, err := db.PrincipalByHash(t.Context(), hash, time.Now()); err != nil || p.Form.CaptchaSecret != "x" {
		t.Errorf("PrincipalByHash() = %+v, %v, want the form with its secret", p.Form, err)
	}
	if _, err := s.with().PrincipalByHash(t.Context(), hash, time.Now()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("PrincipalByHash() without the key = %v, want UNAVAILABLE", err)
	}
}

func TestSealSecretsWhileEndpointsChange(t *testing.T) {
	t.Parallel()
	s := newSealed(t)
	clear, before, after := s.with(), s.with(s.old), s.with(s.new, s.old)
	const workspaces, each = 30, 8 // more endpoints than a page
	var all []webhook.Endpoint
	for range workspaces {
		ws := pgtest.Workspace(t, clear).ID
		for i := range each {
			by := clear
			if i%2 == 0 {
				by = before
			}
			all = append(all, s.mustEndpoint(by, ws))
		}
		s.mustForm(before, ws)
		s.mustForm(clear, ws)
	}
	if _, _, err := clear.SealSecrets(t.Context()); err != pg.ErrNoSecretKeys {
		t.Errorf("SealSecrets() without keys = %v, want ErrNoSecretKeys", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var owners sync.WaitGroup
	last := make([]string, 6) // of each owner's endpoint, the last secret that was answered
	for i := range last {
		owners.Go(func() { // a gateway that has not got the new key as its first yet
			by := s.with(s.old, s.new)
			for once := true; once || ctx.Err() == nil; once = false { // also where this begins when all is sealed
				e, err := by.UpdateEndpoint(t.Context(), all[i].WorkspaceID, all[i].ID, time.Now(),
					func(e *webhook.Endpoint) error { return e.Rotate(webhook.NewSecret(), 0, time.Now()) }, nil)
				if err != nil {
					t.Errorf("UpdateEndpoint() = %v", err)
					return
				}
				last[i] = e.Secret
			}
		})
	}
	interrupted, stop := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer stop()
	after.SealSecrets(interrupted) // a restart goes on where it was
	if _, _, err := after.SealSecrets(t.Context()); err != nil {
		t.Fatalf("SealSecrets() = %v", err)
	}
	cancel()
	owners.Wait()
	done, changing, err := after.SealSecrets(t.Context())
	if err != nil || changing != 0 {
		t.Fatalf("SealSecrets() afterwards = %+v, %d, %v", done, changing, err)
	}
	counts, err := after.CountSecrets(t.Context())
	want := []pg.SecretCount{{Key: "new", Endpoints: workspaces * each, Forms: 2 * workspaces}}
	if diff := cmp.Diff(want, counts); diff != "" || err != nil {
		t.Errorf("CountSecrets() (-want +got): %v\n%s", err, diff)
	}
	only := s.with(s.new)
	for i, e := range all {
		if i < len(last) {
			got, err := only.GetEndpoint(t.Context(), e.WorkspaceID, e.ID)
			if err != nil || got.Secret != last[i] {
				t.Errorf("endpoint %d: the secret that its owner was answered is lost: %v, %v", i, got.Unreadable, err)
			}
			continue
		}
		s.mustRead("with the new key only", only, e)
	}
	if stored := s.stored(only); strings.Contains(stored, "hunter2") {
		t.Error("secrets are left in clear")
	}
}

// SealSecrets has read the row and waits for it while its owner's change commits: what was read is no longer true.
func TestSealSecretsWritesOverNoChange(t *testing.T) {
	t.Parallel()
	s := newSealed(t)
	before, after := s.with(s.old), s.with(s.new, s.old)
	ws := pgtest.Workspace(t, before).ID
	e := s.mustEndpoint(before, ws)
	var sealing sync.WaitGroup
	seal := func() {
		sealing.Go(func() {
			if _, changing, err := after.SealSecrets(t.Context()); err != nil || changing != 0 {
				t.Errorf("SealSecrets() = %d, %v", changing, err)
			}
		})
		testwait.Until(t, "SealSecrets waits for the row", func() (waits bool) {
			const q = `
select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%update %')`
			if err := before.GetContext(t.Context(), &waits, q); err != nil {
				t.Fatal(err)
			}
			return waits
		})
	}
	want, err := before.UpdateEndpoint(t.Context(), ws, e.ID, time.Now(), func(e *webhook.Endpoint) error {
		seal()
		e.Headers = map[string]string{"Authorization": "hunter2-changed"}
		return e.Rotate(webhook.NewSecret(), time.Hour, time.Now())
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sealing.Wait()
	s.mustRead("changed meanwhile", s.with(s.new), want)

	k := s.mustForm(before, ws)
	if _, err := before.UpdateKey(t.Context(), ws, k.ID, func(k *tenant.Key) error {
		seal()
		k.Form.Source, k.Form.CaptchaSecret = "other page", "hunter2-newest"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	sealing.Wait()
	got, err := s.with(s.new).GetKey(t.Context(), ws, k.ID)
	if err != nil || got.Form.CaptchaSecret != "hunter2-newest" || got.Form.Source != "other page" {
		t.Errorf("GetKey() = %+v, %v, want the form as its owner changed it", got.Form, err)
	}
}
