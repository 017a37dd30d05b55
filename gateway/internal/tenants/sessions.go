package tenants

import (
	"context"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// NewSession is a console session that is asked for. Zero lives mean the defaults.
type NewSession struct {
	Name         string // who it is for; may be empty
	Scopes       []tenant.Scope
	Life         time.Duration
	LinkLife     time.Duration
	FrameOrigins []string
	Brand        tenant.Brand
}

// ReadSession reads a new console session.
func ReadSession(body []byte) (n NewSession, err error) {
	var scopes []string
	in := strictjson.NewReader(body, []string{"name", "scopes", "expiresInSeconds", "linkExpiresInSeconds",
		"frameOrigins", "brand"})
	for in.Next() {
		switch in.Name() {
		case "name":
			name, _ := in.String("Must be a string")
			if n.Name = strings.TrimSpace(name); tenant.CheckSessionName(n.Name) != "" {
				in.Refuse(tenant.CheckSessionName(n.Name))
			}
		case "scopes":
			scopes = in.Texts(len(tenant.Scopes()), maxScope)
		case "expiresInSeconds":
			n.Life = readSeconds(in, tenant.MinSessionLife, tenant.MaxSessionLife)
		case "linkExpiresInSeconds":
			n.LinkLife = readSeconds(in, tenant.MinLinkLife, tenant.MaxLinkLife)
		case "frameOrigins":
			n.FrameOrigins = in.Texts(tenant.MaxFrameOrigins, fault.MaxValue)
			for _, problem := range tenant.CheckFrameOrigins(n.FrameOrigins) {
				problem.Field, problem.Pointer = "frameOrigins", "/frameOrigins"+problem.Pointer
				in.Add(problem)
			}
		case "brand":
			n.Brand = tenant.ReadBrand(in)
		}
	}
	var unknown []fault.Field
	n.Scopes, unknown = tenant.ParseScopes(scopes)
	in.Add(unknown...)
	return n, in.Err()
}

// readSeconds reads a whole number of seconds; null is 0.
func readSeconds(in *strictjson.Reader, least, most time.Duration) time.Duration {
	if !in.Given() {
		return 0
	}
	return time.Duration(in.Integer(int(least/time.Second), int(most/time.Second))) * time.Second
}

// OpenSession signs somebody in who has a secret key: the session may do what the key may, and ends when life is over,
// after tenant.MaxSessionLife at most, and never later than the key. The secret is returned here and cannot be read
// again.
func (s Service) OpenSession(ctx context.Context, p *tenant.Principal, name string, life time.Duration) (
	secret string, opened tenant.Session, err error) {
	if p.Kind != tenant.SecretKey {
		return "", opened, fault.New(fault.Forbidden, "A publishable key opens only its form: sign in with a secret key")
	}
	name = strings.TrimSpace(name)
	if wrong := tenant.CheckSessionName(name); wrong != "" {
		return "", opened, fault.InvalidField("name", fault.Truncate(name), wrong)
	}
	opened = s.newSession(p, NewSession{Name: name, Scopes: p.Scopes, Life: life})
	opened.OpenedAt = &opened.CreatedAt
	secret = tenant.NewSessionSecret()
	hash, _ := tenant.HashSessionSecret(secret) // just made: its form is right
	return secret, opened, s.DB.CreateSession(ctx, opened, hash, s.sessionEntry(p, opened))
}

// CreateSessionLink creates a session that a link opens, once. in is as ReadSession returns it. The link's secret is
// returned here and cannot be read again. It is FORBIDDEN to grant scopes that p lacks, and a CONFLICT to grant more than
// to read in a suspended workspace.
func (s Service) CreateSessionLink(ctx context.Context, p *tenant.Principal, in NewSession) (
	link string, created tenant.Session, err error) {
	if err := KeyOf(p).mayGrant(tenant.SecretKey, in.Scopes); err != nil {
		return "", created, err
	}
	if err := s.mayVisit(ctx, p, in.Scopes); err != nil {
		return "", created, err
	}
	created = s.newSession(p, in)
	life := in.LinkLife
	if life == 0 {
		life = tenant.DefaultLinkLife
	}
	until := created.CreatedAt.Add(min(life, tenant.MaxLinkLife, created.ExpiresAt.Sub(created.CreatedAt)))
	created.LinkExpiresAt = &until
	link = tenant.NewLinkSecret()
	hash, _ := tenant.HashLinkSecret(link) // just made: its form is right
	return link, created, s.DB.CreateSession(ctx, created, hash, s.sessionEntry(p, created))
}

// Console is the operator in the console of a workspace, who may do everything there.
func Console(workspace id.UUID) *tenant.Principal {
	return &tenant.Principal{WorkspaceID: workspace, Kind: tenant.SecretKey, Scopes: tenant.Scopes()}
}

func (s Service) newSession(p *tenant.Principal, in NewSession) tenant.Session {
	now := s.now()
	if in.Life == 0 {
		in.Life = tenant.DefaultSessionLife
	}
	until := now.Add(min(in.Life, tenant.MaxSessionLife))
	if p.ExpiresAt != nil && p.ExpiresAt.Before(until) {
		until = *p.ExpiresAt
	}
	return tenant.Session{
		ID: id.New(), WorkspaceID: p.WorkspaceID, KeyID: p.KeyID, Name: in.Name, Scopes: in.Scopes,
		FrameOrigins: in.FrameOrigins, Brand: in.Brand, CreatedAt: now, ExpiresAt: until,
	}
}

// sessionEntry is the audit entry of a new session. Its name may be a person's, so it is left out.
func (s Service) sessionEntry(p *tenant.Principal, made tenant.Session) *tenant.AuditEntry {
	return s.signed(p.NewEntry(tenant.SessionCreated, id.ConsoleSession.Format(made.ID), map[string]any{
		"scopes": made.Scopes, "expiresAt": stamp(made.ExpiresAt), "link": made.LinkExpiresAt != nil,
		"frameOrigins": append([]string{}, made.FrameOrigins...),
	}, made.CreatedAt))
}

// OpenSessionLink uses a link up and returns the session that it opens, with a secret that nobody has seen before:
// UNAUTHORIZED when the link is unknown, used or expired, or its session has ended. Of several callers at once one gets
// it.
func (s Service) OpenSessionLink(ctx context.Context, link string) (secret string, opened tenant.Session, err error) {
	hash, ok := tenant.HashLinkSecret(link)
	if !ok {
		return "", opened, fault.New(fault.Unauthorized, "The link is incomplete or mistyped")
	}
	secret = tenant.NewSessionSecret()
	secretHash, _ := tenant.HashSessionSecret(secret) // just made: its form is right
	now := s.now()
	opened, err = s.DB.OpenSession(ctx, hash, secretHash, now, func(o tenant.Session) *tenant.AuditEntry {
		return visitor(o).NewEntry(tenant.SessionOpened, id.ConsoleSession.Format(o.ID), nil, now)
	})
	if err != nil {
		return "", opened, err
	}
	return secret, opened, nil
}

// visitor is who is in a session, as the audit names it.
func visitor(s tenant.Session) *tenant.Principal {
	return &tenant.Principal{WorkspaceID: s.WorkspaceID, KeyID: s.KeyID, SessionID: s.ID}
}

// EndSession signs a session out, within a second; again it changes nothing. The audit says that the session itself did
// it.
func (s Service) EndSession(ctx context.Context, workspace, session id.UUID) error {
	ending, err := s.DB.GetSession(ctx, workspace, session)
	if err != nil {
		return err
	}
	entry := visitor(ending).NewEntry(tenant.SessionEnded, id.ConsoleSession.Format(session), nil, s.now())
	return s.DB.EndSession(ctx, workspace, session, entry.CreatedAt, entry)
}

// RevokeSession ends a session, or the link that would open it, for the actor. An actor that is a key is FORBIDDEN to
// end one that may do more than itself.
func (s Service) RevokeSession(ctx context.Context, by Actor, session id.UUID) error {
	ending, err := s.DB.GetSession(ctx, by.Workspace, session)
	if err != nil {
		return err
	}
	if err := by.mayHandle(tenant.SecretKey, ending.Scopes, "cannot end a session that has scopes that it lacks"); err != nil {
		return err
	}
	entry := s.entry(by, tenant.SessionEnded, id.ConsoleSession.Format(session), nil)
	return s.DB.EndSession(ctx, by.Workspace, session, entry.CreatedAt, entry)
}

// EndSessions ends all sessions of a workspace for the operator, and returns how many there were.
func (s Service) EndSessions(ctx context.Context, workspace id.UUID) (n int, err error) {
	return s.RevokeSessions(ctx, Operator(workspace))
}

// RevokeSessions ends all sessions of the actor's workspace that may do no more than the actor, and the links that would
// open them, within a second, and returns how many there were.
func (s Service) RevokeSessions(ctx context.Context, by Actor) (n int, err error) {
	scopes := tenant.Scopes()
	if by.key != nil {
		scopes = by.key.Scopes
	}
	entry := s.entry(by, tenant.SessionEnded, id.Workspace.Format(by.Workspace), nil)
	return s.DB.EndSessions(ctx, by.Workspace, scopes, entry.CreatedAt, func(ended int) *tenant.AuditEntry {
		entry.Details["sessions"] = ended
		return entry
	})
}
