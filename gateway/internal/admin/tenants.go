package admin

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// Limits of what an operator can ask for.
const (
	MaxName        = 100 // characters of a workspace's, chatbot's or key's name
	DefaultOverlap = 24 * time.Hour
	MaxOverlap     = 30 * 24 * time.Hour
	MinLife        = time.Minute // of a key that expires
)

// Tenants is what an operator does to workspaces, chatbots and keys: the same on the command line and over HTTP.
// Mistakes are VALIDATION_ERROR with every one of them.
type Tenants struct {
	DB  *pg.DB
	Now func() time.Time
}

// WorkspaceDraft is a workspace to be made, or what is to change of one: nil stays as it is.
type WorkspaceDraft struct {
	Name     *string
	Rate     *int // 0 is the default
	Burst    *int // 0 is the default
	Statuses *[]string

	RetrySchedule *[]int // seconds; empty is the default
}

// KeyDraft is a key to be made.
type KeyDraft struct {
	Name      string
	Scopes    []string   // nil: tenant.DefaultScopes
	ExpiresAt *time.Time // nil: never
}

// CreateWorkspace makes a workspace.
func (t Tenants) CreateWorkspace(ctx context.Context, d WorkspaceDraft) (tenant.Workspace, error) {
	now := t.now()
	w := tenant.Workspace{ID: id.New(), CreatedAt: now, UpdatedAt: now}
	if d.Name == nil {
		d.Name = new(string)
	}
	if err := d.apply(&w); err != nil {
		return w, err
	}
	return w, t.DB.CreateWorkspace(ctx, w)
}

// UpdateWorkspace changes a workspace; gateways follow within a second.
func (t Tenants) UpdateWorkspace(ctx context.Context, workspace id.UUID, d WorkspaceDraft) (tenant.Workspace, error) {
	return t.DB.UpdateWorkspace(ctx, workspace, func(w *tenant.Workspace) error {
		w.UpdatedAt = t.now()
		return d.apply(w)
	})
}

func (d WorkspaceDraft) apply(w *tenant.Workspace) error {
	var wrong []fault.Field
	if d.Name != nil {
		wrong = checkName(*d.Name)
		w.Name = strings.TrimSpace(*d.Name)
	}
	set(&w.Settings.Rate, d.Rate)
	set(&w.Settings.Burst, d.Burst)
	set(&w.Settings.Statuses, d.Statuses)
	set(&w.Settings.RetrySchedule, d.RetrySchedule)
	return invalid(append(wrong, w.Settings.Check()...))
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// CreateChatbot makes a chatbot.
func (t Tenants) CreateChatbot(ctx context.Context, workspace id.UUID, name string) (tenant.Chatbot, error) {
	c := tenant.Chatbot{WorkspaceID: workspace, ID: id.New(), Name: strings.TrimSpace(name), CreatedAt: t.now()}
	if err := invalid(checkName(name)); err != nil {
		return c, err
	}
	return c, t.DB.CreateChatbot(ctx, c)
}

// CreateKey makes a key and returns its secret, which cannot be read again.
func (t Tenants) CreateKey(ctx context.Context, workspace id.UUID, d KeyDraft) (tenant.Key, string, error) {
	wrong := checkName(d.Name)
	scopes, unknown := tenant.ParseScopes(d.Scopes)
	wrong = append(wrong, unknown...)
	if d.ExpiresAt != nil && t.tooSoon(*d.ExpiresAt) {
		wrong = append(wrong, fault.Field{Field: "expiresAt", Pointer: "/expiresAt", Value: Stamp(*d.ExpiresAt), Message: expiryRule})
	}
	if err := invalid(wrong); err != nil {
		return tenant.Key{}, "", err
	}
	k, secret, hash := t.newKey(workspace, strings.TrimSpace(d.Name), scopes)
	k.ExpiresAt = d.ExpiresAt
	return k, secret, t.DB.CreateKey(ctx, k, hash)
}

const expiryRule = "Must be at least one minute in the future"

// tooSoon counts whole seconds: time passes between asking for a minute and checking it.
func (t Tenants) tooSoon(expires time.Time) bool {
	return expires.Sub(t.now()).Round(time.Second) < MinLife
}

// RotateKey makes a key that may do what old may and lives as long as old was made to live. Both work until overlap is over, then old ends.
func (t Tenants) RotateKey(ctx context.Context, workspace, old id.UUID, overlap time.Duration) (tenant.Key, string, error) {
	if overlap < 0 || overlap > MaxOverlap {
		message := fmt.Sprintf("Must be between 0 and %d", int(MaxOverlap.Seconds()))
		return tenant.Key{}, "", invalid([]fault.Field{{Field: "overlapSeconds", Pointer: "/overlapSeconds", Value: int(overlap.Seconds()), Message: message}})
	}
	was, err := t.DB.GetKey(ctx, workspace, old)
	if err != nil {
		return tenant.Key{}, "", err
	}
	k, secret, hash := t.newKey(workspace, was.Name, was.Scopes)
	if was.ExpiresAt != nil {
		until := k.CreatedAt.Add(was.ExpiresAt.Sub(was.CreatedAt))
		k.ExpiresAt = &until
	}
	return k, secret, t.DB.RotateKey(ctx, workspace, old, k.CreatedAt.Add(overlap), k, hash)
}

// RevokeKey ends a key for ever; doing it again changes nothing.
func (t Tenants) RevokeKey(ctx context.Context, workspace, key id.UUID) error {
	return t.DB.RevokeKey(ctx, workspace, key, t.now())
}

func (t Tenants) newKey(workspace id.UUID, name string, scopes []tenant.Scope) (k tenant.Key, secret string, hash [32]byte) {
	secret = tenant.NewSecret()
	hash, _ = tenant.HashSecret(secret) // just made: its form is right
	return tenant.Key{WorkspaceID: workspace, ID: id.New(), Name: name, Hint: tenant.Hint(secret), Scopes: scopes, CreatedAt: t.now()}, secret, hash
}

// now is in the resolution answers have.
func (t Tenants) now() time.Time { return t.Now().UTC().Truncate(time.Millisecond) }

func checkName(name string) []fault.Field {
	trimmed := strings.TrimSpace(name)
	if n := utf8.RuneCountInString(trimmed); n > 0 && n <= MaxName && utf8.ValidString(trimmed) && !strings.ContainsFunc(trimmed, unicode.IsControl) {
		return nil
	}
	return []fault.Field{{Field: "name", Pointer: "/name", Value: fault.Cut(name), Message: fmt.Sprintf("Must be 1 to %d characters without control characters", MaxName)}}
}

func invalid(wrong []fault.Field) error {
	if len(wrong) == 0 {
		return nil
	}
	return fault.Invalid(wrong)
}
