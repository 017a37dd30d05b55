package auth_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/gateway/internal/auth"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
)

// anybody may ask for any key.
func anybody() error { return nil }

// bundle is an Auth on a database of its own with one workspace and one key. direct reaches the database past the
// Auth's own pool.
type bundle struct {
	*auth.Auth
	clock  *testwait.Clock
	pool   *pg.DB // closing it takes Postgres away from the Auth
	direct *pg.DB
	ws     id.UUID
	key    tenant.Key
	secret string
}

func setup(t *testing.T) *bundle {
	t.Helper()
	url := pgtest.URL(t)
	b := &bundle{clock: testwait.NewClock(time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)), pool: mustOpen(t, url),
		direct: mustOpen(t, url)}
	b.Auth = auth.New(auth.Deps{DB: b.pool, Now: b.clock.Now, Log: slog.New(slog.DiscardHandler)})
	b.ws = pgtest.Workspace(t, b.direct).ID
	b.key, b.secret = b.mustKey(t, nil)
	return b
}

func mustOpen(t *testing.T, url string) *pg.DB {
	t.Helper()
	db, err := pg.Open(url, pg.Options{MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func (b *bundle) mustKey(t *testing.T, expires *time.Time) (tenant.Key, string) {
	t.Helper()
	return pgtest.Key(t, b.direct, b.ws, func(k *tenant.Key) {
		k.Scopes, k.CreatedAt, k.ExpiresAt = tenant.DefaultScopes(), b.clock.Now(), expires
	})
}

// ask returns the kind of error a request with this header gets, "" when it is let in.
func (b *bundle) ask(t *testing.T, header string) fault.Kind {
	t.Helper()
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	p, err := b.Principal(t.Context(), r, anybody)
	if err != nil {
		return fault.From(err).Kind
	}
	if p.WorkspaceID != b.ws {
		t.Fatalf("Principal = %v, want one of workspace %v", p, b.ws)
	}
	return ""
}

func (b *bundle) want(t *testing.T, when, header string, want fault.Kind) {
	t.Helper()
	if got := b.ask(t, header); got != want {
		t.Errorf("%s: Principal = %q, want %q", when, got, want)
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mistyped := strings.Replace(b.secret, b.secret[20:22], "__", 1)
	for header, want := range map[string]fault.Kind{
		"Bearer " + b.secret:           "",
		"bearer " + b.secret:           "",
		"BEARER   " + b.secret + " ":   "",
		"":                             fault.Unauthorized,
		"Bearer":                       fault.Unauthorized,
		"Bearer ":                      fault.Unauthorized,
		b.secret:                       fault.Unauthorized,
		"Basic " + b.secret:            fault.Unauthorized,
		"Bearer " + mistyped:           fault.Unauthorized,
		"Bearer " + tenant.NewSecret(): fault.Unauthorized,
	} {
		t.Run(header, func(t *testing.T) {
			b.want(t, header, header, want)
		})
	}
}

// Whoever stands in front may have checked another of them than we did.
func TestSeveralHeadersAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := &http.Request{Header: http.Header{"Authorization": {"Bearer " + b.secret, "Bearer " + b.secret}}}
	_, err := b.Principal(t.Context(), r, anybody)
	if f := fault.From(err); err == nil || f.Kind != fault.Unauthorized || !strings.Contains(f.Public, "once") {
		t.Errorf("Principal with two Authorization headers = %v, want UNAUTHORIZED that says to send it once", err)
	}
}

func TestMistypedKeyNeedsNoLookUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pool.Close()
	b.want(t, "mistyped without Postgres", "Bearer "+b.secret[:30]+"x"+b.secret[31:], fault.Unauthorized)
	b.want(t, "well-formed without Postgres", "Bearer "+tenant.NewSecret(), fault.Unavailable)
}

func TestRevocationCountsWithinASecond(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.want(t, "live", "Bearer "+b.secret, "")
	if err := b.direct.RevokeKey(t.Context(), b.ws, b.key.ID, b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	b.clock.Forward(999 * time.Millisecond)
	b.want(t, "revoked", "Bearer "+b.secret, fault.Unauthorized)
	b.pool.Close()
	b.clock.Forward(time.Second)
	b.want(t, "revoked, then Postgres away", "Bearer "+b.secret, fault.Unavailable)
}

func TestExpiryCountsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	end := b.clock.Now().Add(time.Minute)
	_, secret := b.mustKey(t, &end)
	b.clock.Forward(time.Minute - time.Millisecond)
	b.want(t, "just before expiry", "Bearer "+secret, "")
	b.clock.Forward(time.Millisecond)
	b.want(t, "at expiry, cached", "Bearer "+secret, fault.Unauthorized)
}

func TestNewKeyWorksWithinASecond(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secret := tenant.NewSecret()
	b.want(t, "unknown", "Bearer "+secret, fault.Unauthorized)
	hash, _ := tenant.HashSecret(secret)
	k := tenant.Key{WorkspaceID: b.ws, ID: id.New(), CreatedAt: b.clock.Now()}
	if err := b.direct.CreateKey(t.Context(), k, hash); err != nil {
		t.Fatal(err)
	}
	b.want(t, "made since, unknown is cached", "Bearer "+secret, fault.Unauthorized)
	b.clock.Forward(time.Second)
	b.want(t, "a second later", "Bearer "+secret, "")
}

func TestPostgresAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	end := b.clock.Now().Add(30 * time.Second)
	_, ending := b.mustKey(t, &end)
	_, unseen := b.mustKey(t, nil)
	b.want(t, "before", "Bearer "+b.secret, "")
	b.want(t, "before", "Bearer "+ending, "")
	b.pool.Close()
	b.clock.Forward(29 * time.Second)
	b.want(t, "seen before", "Bearer "+b.secret, "")
	b.want(t, "seen before, expires soon", "Bearer "+ending, "")
	b.want(t, "never seen", "Bearer "+unseen, fault.Unavailable)
	b.clock.Forward(time.Second)
	b.want(t, "expired meanwhile", "Bearer "+ending, fault.Unauthorized)
	b.clock.Forward(29 * time.Second)
	b.want(t, "after 59 s", "Bearer "+b.secret, "")
	b.clock.Forward(2 * time.Second)
	b.want(t, "after 61 s", "Bearer "+b.secret, fault.Unavailable)
}

func TestChatbot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := tenant.Chatbot{WorkspaceID: b.ws, ID: id.New(), Name: "bot", CreatedAt: b.clock.Now()}
	if err := b.Chatbot(t.Context(), b.ws, c.ID); !fault.Is(err, fault.ChatbotNotFound) {
		t.Errorf("Chatbot(unknown) = %v, want CHATBOT_NOT_FOUND", err)
	}
	if err := b.direct.CreateChatbot(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	b.clock.Forward(time.Second)
	if err := b.Chatbot(t.Context(), b.ws, c.ID); err != nil {
		t.Errorf("Chatbot(made a second ago) = %v, want nil", err)
	}
	if err := b.Chatbot(t.Context(), id.New(), c.ID); !fault.Is(err, fault.ChatbotNotFound) {
		t.Errorf("Chatbot(of another workspace) = %v, want CHATBOT_NOT_FOUND", err)
	}
	b.pool.Close()
	b.clock.Forward(59 * time.Second)
	if err := b.Chatbot(t.Context(), b.ws, c.ID); err != nil {
		t.Errorf("Chatbot(seen before, Postgres away) = %v, want nil", err)
	}
	if err := b.Chatbot(t.Context(), b.ws, id.New()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Chatbot(never seen, Postgres away) = %v, want UNAVAILABLE", err)
	}
}

// A chatbot that was deleted takes no more leads a second later, although what is found is remembered for a minute.
func TestDeletedChatbot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := tenant.Chatbot{WorkspaceID: b.ws, ID: id.New(), Name: "bot", CreatedAt: b.clock.Now()}
	kept := tenant.Chatbot{WorkspaceID: b.ws, ID: id.New(), Name: "bot", CreatedAt: b.clock.Now()}
	for _, c := range []tenant.Chatbot{c, kept} {
		if err := b.direct.CreateChatbot(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	b.want(t, "before", "Bearer "+b.secret, "")
	if err := b.Chatbot(t.Context(), b.ws, c.ID); err != nil {
		t.Fatalf("Chatbot(before) = %v, want nil", err)
	}
	if err := b.direct.DeleteChatbot(t.Context(), b.ws, c.ID); err != nil {
		t.Fatal(err)
	}
	b.clock.Forward(time.Second)
	b.want(t, "a second later", "Bearer "+b.secret, "")
	if err := b.Chatbot(t.Context(), b.ws, c.ID); !fault.Is(err, fault.ChatbotNotFound) {
		t.Errorf("Chatbot(deleted a second ago) = %v, want CHATBOT_NOT_FOUND", err)
	}
	if err := b.Chatbot(t.Context(), b.ws, kept.ID); err != nil {
		t.Errorf("Chatbot(another) = %v, want nil", err)
	}
}

func TestLastUsedIsWrittenAtStop(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Start()
	b.want(t, "live", "Bearer "+b.secret, "")
	for range 2 {
		if err := b.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	k, err := b.direct.GetKey(t.Context(), b.ws, b.key.ID)
	if err != nil {
		t.Fatal(err)
	}
	if k.LastUsedAt == nil || !k.LastUsedAt.Equal(b.clock.Now()) {
		t.Errorf("LastUsedAt = %v, want %v", k.LastUsedAt, b.clock.Now())
	}
}

// Many requests with one key at the same moment share look-ups and get the same answer; a caller that leaves takes
// nobody along.
func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gone, leave := context.WithCancel(t.Context())
	leave()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			r, _ := http.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+b.secret)
			ctx := t.Context()
			if i%10 == 0 {
				ctx = gone
			}
			if _, err := b.Principal(ctx, r, anybody); err != nil && ctx != gone {
				t.Errorf("Principal = %v, want nil", err)
			}
		})
	}
	all.Wait()
}
