package auth_test

import (
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
)

// service manages tenants past the Auth's own pool, by the same clock.
func (b *bundle) service() tenants.Service { return tenants.Service{DB: b.direct, Now: b.clock.Now} }

// principal is the key of the bundle with these scopes.
func (b *bundle) principal(scopes ...tenant.Scope) *tenant.Principal {
	return &tenant.Principal{WorkspaceID: b.ws, KeyID: b.key.ID, Kind: tenant.SecretKey, Scopes: scopes}
}

// mustLink makes a link of an hour's session.
func (b *bundle) mustLink(t *testing.T, p *tenant.Principal, scopes ...tenant.Scope) (link string, s tenant.Session) {
	t.Helper()
	link, s, err := b.service().CreateSessionLink(t.Context(), p, tenants.NewSession{Name: "Ada", Scopes: scopes})
	if err != nil {
		t.Fatalf("CreateSessionLink = %v", err)
	}
	return link, s
}

func (b *bundle) mustOpen(t *testing.T, link string) (secret string, s tenant.Session) {
	t.Helper()
	secret, s, err := b.service().OpenSessionLink(t.Context(), link)
	if err != nil {
		t.Fatalf("OpenSessionLink = %v", err)
	}
	return secret, s
}

// wantSession reports whether a secret opens the session of the workspace.
func (b *bundle) wantSession(t *testing.T, what, secret string, want bool) {
	t.Helper()
	p, s, err := b.Session(t.Context(), secret, admitAll)
	if !want {
		if !fault.Is(err, fault.Unauthorized) {
			t.Errorf("Session(%s) = %+v, %v, want UNAUTHORIZED", what, p, err)
		}
		return
	}
	if err != nil || p.WorkspaceID != b.ws || s.WorkspaceID != b.ws || p.SessionID != s.ID {
		t.Errorf("Session(%s) = %+v, %+v, %v, want one of workspace %v", what, p, s, err, b.ws)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secret, opened, err := b.service().OpenSession(t.Context(), b.principal(b.key.Scopes...), " Ada ", 2*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	p, s, err := b.Session(t.Context(), secret, admitAll)
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != opened.ID || s.Name != "Ada" || s.OpenedAt == nil || !s.ExpiresAt.Equal(b.clock.Now().Add(2*time.Hour)) {
		t.Errorf("session = %+v, want what was opened", s)
	}
	if p.WorkspaceID != b.ws || p.KeyID != b.key.ID || p.Kind != tenant.SecretKey || p.SessionID != s.ID ||
		p.Settings.Rate != tenant.DefaultRate || p.ExpiresAt != nil || !p.May(tenant.LeadsRead) || p.May(tenant.KeysManage) {
		t.Errorf("principal = %+v, want what the key may do", p)
	}
	b.clock.Forward(2*time.Hour - time.Millisecond)
	b.wantSession(t, "just before its end", secret, true)
	b.clock.Forward(time.Millisecond)
	b.wantSession(t, "at its end", secret, false)
}

// A session is short, whatever is asked for, and no longer than its key.
func TestSessionLife(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, long, err := b.service().OpenSession(t.Context(), b.principal(tenant.LeadsRead), "", 90*24*time.Hour)
	if err != nil || !long.ExpiresAt.Equal(b.clock.Now().Add(12*time.Hour)) {
		t.Errorf("OpenSession(90 days) = %v, %v, want 12 hours", long.ExpiresAt, err)
	}
	ends := b.clock.Now().Add(time.Hour)
	b.key, b.secret = b.mustKey(t, &ends)
	brief := b.principal(tenant.LeadsRead)
	brief.ExpiresAt = &ends
	secret, short, err := b.service().OpenSession(t.Context(), brief, "", 2*time.Hour)
	if err != nil || !short.ExpiresAt.Equal(ends) {
		t.Errorf("OpenSession(2 h) of a key of an hour = %v, %v, want its end", short.ExpiresAt, err)
	}
	b.wantSession(t, "before the key's end", secret, true)
	b.clock.Forward(time.Hour)
	b.wantSession(t, "at the key's end", secret, false)
}

func TestPublishableKeyOpensNoSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	form := b.principal()
	form.Kind = tenant.PublishableKey
	if _, _, err := b.service().OpenSession(t.Context(), form, "", time.Hour); !fault.Is(err, fault.Forbidden) {
		t.Errorf("OpenSession(publishable key) = %v, want FORBIDDEN", err)
	}
}

// What ends a session is known here within a second, though other processes do it.
func TestSessionEndsWithinASecond(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*bundle, tenant.Session) error{
		"it is ended": func(b *bundle, s tenant.Session) error {
			return b.service().EndSession(t.Context(), b.ws, s.ID)
		},
		"all are ended": func(b *bundle, s tenant.Session) error {
			_, err := b.service().EndSessions(t.Context(), b.ws)
			return err
		},
		"its key is revoked": func(b *bundle, s tenant.Session) error {
			_, err := b.service().RevokeKey(t.Context(), tenants.Operator(b.ws), b.key.ID)
			return err
		},
		"its key is deleted": func(b *bundle, s tenant.Session) error {
			_, err := b.direct.ExecContext(t.Context(), `delete from api_keys where workspace_id = $1`, b.ws)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			link, s := b.mustLink(t, b.principal(tenant.LeadsRead), tenant.LeadsRead)
			unopened, _ := b.mustLink(t, b.principal(tenant.LeadsRead), tenant.LeadsRead)
			secret, _ := b.mustOpen(t, link)
			b.wantSession(t, "before", secret, true)
			if err := end(b, s); err != nil {
				t.Fatal(err)
			}
			b.clock.Forward(time.Second)
			b.wantSession(t, "a second later", secret, false)
			if name == "it is ended" {
				return
			}
			if _, _, err := b.service().OpenSessionLink(t.Context(), unopened); !fault.Is(err, fault.Unauthorized) {
				t.Errorf("a link of before = %v, want UNAUTHORIZED", err)
			}
		})
	}
}

// A session may do what was granted to it and its key still may.
func TestSessionScopes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link, _ := b.mustLink(t, b.principal(b.key.Scopes...), tenant.LeadsRead, tenant.WebhooksManage)
	secret, _ := b.mustOpen(t, link)
	p, _, err := b.Session(t.Context(), secret, admitAll)
	if err != nil || p.May(tenant.LeadsWrite) || !p.May(tenant.LeadsRead) || !p.May(tenant.WebhooksManage) {
		t.Fatalf("principal = %+v, %v, want the scopes of the link", p, err)
	}
	const q = `update api_keys set scopes = '{leads:write,leads:read}' where workspace_id = $1`
	if _, err := b.direct.ExecContext(t.Context(), q, b.ws); err != nil {
		t.Fatal(err)
	}
	b.clock.Forward(time.Second)
	if p, _, err = b.Session(t.Context(), secret, admitAll); err != nil || len(p.Scopes) != 1 || !p.May(tenant.LeadsRead) {
		t.Errorf("principal = %+v, %v, want what both have", p, err)
	}
	_, _, err = b.service().CreateSessionLink(t.Context(), b.principal(tenant.LeadsRead),
		tenants.NewSession{Scopes: []tenant.Scope{tenant.LeadsRead, tenant.LeadsWrite}})
	if !fault.Is(err, fault.Forbidden) {
		t.Errorf("CreateSessionLink(a scope that the key lacks) = %v, want FORBIDDEN", err)
	}
}

// The operator needs no key, and may do everything.
func TestOperatorsSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link, _ := b.mustLink(t, tenants.Console(b.ws), tenant.Scopes()...)
	if _, err := b.service().RevokeKey(t.Context(), tenants.Operator(b.ws), b.key.ID); err != nil {
		t.Fatal(err)
	}
	secret, _ := b.mustOpen(t, link)
	p, s, err := b.Session(t.Context(), secret, admitAll)
	if err != nil || p.KeyID != (id.UUID{}) || s.KeyID != (id.UUID{}) || len(p.Scopes) != len(tenant.Scopes()) {
		t.Errorf("Session() = %+v, %+v, %v, want all scopes and no key", p, s, err)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Errorf("Stop() = %v, want no use of a key written", err)
	}
}

// Neither is taken for the other, nor for a key, nor is a key for them.
func TestSecretsAreNotConfused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link, _ := b.mustLink(t, b.principal(tenant.LeadsRead), tenant.LeadsRead)
	b.want(t, "a link as a key", "Bearer "+link, fault.Unauthorized)
	b.wantSession(t, "a link", link, false)
	secret, _ := b.mustOpen(t, link)
	b.want(t, "a session as a key", "Bearer "+secret, fault.Unauthorized)
	b.wantSession(t, "a key", b.secret, false)
	b.wantSession(t, "nothing", "", false)
	b.wantSession(t, "a mistyped session", secret[:len(secret)-1]+"_", false)
	b.wantSession(t, "an unknown session", tenant.NewSessionSecret(), false)
	b.wantSession(t, "a session's digits as a link's", "cl_"+strings.TrimPrefix(secret, "cs_"), false)
	for what, text := range map[string]string{"a key": b.secret, "a session": secret, "nothing": "",
		"an unknown link": tenant.NewLinkSecret()} {
		if _, _, err := b.service().OpenSessionLink(t.Context(), text); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("OpenSessionLink(%s) = %v, want UNAUTHORIZED", what, err)
		}
	}
	b.wantSession(t, "the session", secret, true)
}

// A session of one workspace says nothing of another's.
func TestSessionIsOfItsWorkspace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link, s := b.mustLink(t, b.principal(tenant.LeadsRead), tenant.LeadsRead)
	secret, _ := b.mustOpen(t, link)
	other := pgtest.Workspace(t, b.direct)
	if err := b.service().EndSession(t.Context(), other.ID, s.ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("EndSession by another workspace = %v, want NOT_FOUND", err)
	}
	if n, err := b.service().EndSessions(t.Context(), other.ID); err != nil || n != 0 {
		t.Errorf("EndSessions of another workspace = %d, %v, want none", n, err)
	}
	b.clock.Forward(time.Second)
	b.wantSession(t, "after another workspace tried", secret, true)
}

// A context that nobody gave a principal has none.
func TestPrincipalOfContext(t *testing.T) {
	t.Parallel()
	p := &tenant.Principal{WorkspaceID: id.New()}
	if got := auth.PrincipalOf(auth.WithPrincipal(t.Context(), p)); got != p {
		t.Errorf("PrincipalOf(WithPrincipal(p)) = %v, want p", got)
	}
	if got := auth.PrincipalOf(t.Context()); got != nil {
		t.Errorf("PrincipalOf() = %v, want none", got)
	}
}

func admitAll() error { return nil }

// In a suspended workspace nobody is in the console but an administrator who looks, by a link that was made since.
func TestSessionsOfASuspendedWorkspace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secret, _, err := b.service().OpenSession(t.Context(), b.principal(b.key.Scopes...), "Ada", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	link, _ := b.mustLink(t, tenants.Console(b.ws), tenant.LeadsRead)
	early, _ := b.mustOpen(t, link)
	b.wantSession(t, "before", secret, true)
	b.clock.Forward(time.Second)
	if _, err := b.service().Suspend(t.Context(), b.ws, []byte(`{"reason":"unpaid"}`)); err != nil {
		t.Fatal(err)
	}
	b.clock.Forward(time.Second)
	for what, s := range map[string]string{"the owner's": secret, "an administrator's of before": early} {
		if _, _, err := b.Session(t.Context(), s, admitAll); !fault.Is(err, fault.WorkspaceSuspended) {
			t.Errorf("Session(%s) = %v, want WORKSPACE_SUSPENDED", what, err)
		}
	}
	link, _ = b.mustLink(t, tenants.Console(b.ws), tenant.LeadsRead)
	look, _ := b.mustOpen(t, link)
	b.wantSession(t, "an administrator's of now", look, true)
	_, _, err = b.service().CreateSessionLink(t.Context(), tenants.Console(b.ws), tenants.NewSession{Scopes: tenant.Scopes()})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("CreateSessionLink(all scopes) = %v, want CONFLICT", err)
	}
}
