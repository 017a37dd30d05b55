package auth

import (
	"context"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// visit is a live console session, and whom it acts for.
type visit struct {
	principal tenant.Principal
	session   tenant.Session
}

// ErrUnknownSession is what Session returns of a secret that opens nothing. A well-formed one costs a look-up,
// so whoever sends many unknown ones should be refused, as with ErrUnknownKey.
var ErrUnknownSession = fault.New(fault.Unauthorized, "The console session is not valid: it has ended or expired")

// Session returns whom a console session acts for, by the secret of its cookie: the workspace, with those of its scopes
// that the key that opened it still has. UNAUTHORIZED means that the session is unknown, expired or ended, or that its
// key is; UNAVAILABLE that Postgres cannot be asked. WORKSPACE_SUSPENDED comes with both results, so that whoever is
// signed in can sign out. What ends is found out within a second, as of keys. A secret that this process has not seen at
// work costs a look-up: admit can refuse that.
func (a *Auth) Session(ctx context.Context, secret string, admit func() error) (*tenant.Principal, *tenant.Session,
	error) {
	hash, ok := tenant.HashSessionSecret(secret)
	if !ok {
		return nil, nil, ErrUnknownSession
	}
	if e, ok := a.sessions.peek(hash); !ok || !e.found {
		if err := admit(); err != nil {
			return nil, nil, err
		}
	}
	v, found, err := a.sessions.get(ctx, hash)
	if err != nil {
		return nil, nil, err
	}
	now := a.now()
	if !found || !now.Before(v.session.ExpiresAt) ||
		v.principal.ExpiresAt != nil && !now.Before(*v.principal.ExpiresAt) {
		return nil, nil, ErrUnknownSession
	}
	if since := v.principal.SuspendedAt; since != nil && !mayLook(&v.session, *since) {
		return &v.principal, &v.session, a.suspended(&v.principal)
	}
	return &v.principal, &v.session, nil
}

// mayLook reports whether a session works in a workspace that is suspended since then: an administrator has made it
// since, and it may only read.
func mayLook(s *tenant.Session, since time.Time) bool {
	return s.KeyID == id.UUID{} && !s.CreatedAt.Before(since) && tenant.MayLook(s.Scopes)
}

func (a *Auth) loadSession(ctx context.Context, hash [32]byte) (*visit, bool, error) {
	now := a.now()
	p, s, err := a.db.SessionByHash(ctx, hash, now)
	if fault.Is(err, fault.Unauthorized) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	a.recordUse(&p, now)
	return &visit{p, s}, true, nil
}

// principalKey is the key of a context's principal. Nothing outside of this process can set a context's value.
type principalKey struct{}

// WithPrincipal returns a context whose requests act for p, whatever their headers say. The console asks the API in its
// own process with it.
func WithPrincipal(ctx context.Context, p *tenant.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalOf returns the principal of WithPrincipal; nil: there is none.
func PrincipalOf(ctx context.Context) *tenant.Principal {
	p, _ := ctx.Value(principalKey{}).(*tenant.Principal)
	return p
}

type countedKey struct{}

// Counted returns a context whose requests are not taken from the rate limit: they are parts of one that was. A page of
// the console asks for several things, and must open whatever small rate its workspace has.
func Counted(ctx context.Context) context.Context { return context.WithValue(ctx, countedKey{}, true) }

// IsCounted reports whether ctx is of Counted.
func IsCounted(ctx context.Context) bool { return ctx.Value(countedKey{}) != nil }
