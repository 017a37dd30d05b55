package admin

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// Limits of what an operator can ask for.
const (
	DefaultOverlap = tenant.DefaultOverlap
	MaxOverlap     = tenant.MaxOverlap
)

// Tenants is what an operator does to workspaces, chatbots and keys: the same on the command line and over HTTP.
// Mistakes are VALIDATION_ERROR with every one of them. What is changed is audited in its workspace, as done by no key.
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
	Kind      tenant.KeyKind // "": secret
	Test      bool           // it opens the workspace's test data, which the first such key makes
	Scopes    []string       // nil: tenant.DefaultScopes; of a secret key only
	ExpiresAt *time.Time     // nil: never
	Form      *tenant.Form   // of a publishable key only; nil: all defaults
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
	return w, t.DB.CreateWorkspace(ctx, w, t.note(w.ID, tenant.WorkspaceCreated, id.Workspace.Format(w.ID), nil))
}

// UpdateWorkspace changes a workspace; gateways follow within a second.
func (t Tenants) UpdateWorkspace(ctx context.Context, workspace id.UUID, d WorkspaceDraft) (tenant.Workspace, error) {
	note := t.note(workspace, tenant.WorkspaceUpdated, id.Workspace.Format(workspace), d.details())
	if len(note.Details) == 0 {
		note = nil
	}
	return t.DB.UpdateWorkspace(ctx, workspace, func(w *tenant.Workspace) error {
		w.UpdatedAt = t.now()
		return d.apply(w)
	}, note)
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

// details are the settings that d changes, as they will be.
func (d WorkspaceDraft) details() map[string]any {
	changed := map[string]any{}
	for name, to := range map[string]any{"name": d.Name, "rateCeiling": d.Rate, "burstCeiling": d.Burst, "statuses": d.Statuses, "retrySchedule": d.RetrySchedule} {
		if !reflect.ValueOf(to).IsNil() {
			changed[name] = to
		}
	}
	return changed
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
	return c, t.DB.CreateChatbot(ctx, c, t.note(workspace, tenant.ChatbotCreated, id.Chatbot.Format(c.ID), nil))
}

// CreateKey makes a key and returns its text. That of a secret key cannot be read again.
func (t Tenants) CreateKey(ctx context.Context, workspace id.UUID, d KeyDraft) (tenant.Key, string, error) {
	k := tenant.Key{WorkspaceID: workspace, ID: id.New(), Name: strings.TrimSpace(d.Name), Kind: d.Kind, Test: d.Test, ExpiresAt: d.ExpiresAt, CreatedAt: t.now()}
	wrong := append(checkName(d.Name), tenant.CheckForm(d.Kind, d.Form != nil, d.Scopes != nil)...)
	if d.ExpiresAt != nil && tenant.TooSoon(*d.ExpiresAt, k.CreatedAt) {
		wrong = append(wrong, fault.Field{Field: "expiresAt", Pointer: "/expiresAt", Value: Stamp(*d.ExpiresAt), Message: tenant.ExpiryRule})
	}
	if d.Kind == tenant.PublishableKey {
		if k.Form = d.Form; k.Form == nil {
			k.Form = &tenant.Form{}
		}
		wrong = append(wrong, k.Form.Check()...)
	} else {
		var unknown []fault.Field
		k.Scopes, unknown = tenant.ParseScopes(d.Scopes)
		wrong = append(wrong, unknown...)
	}
	if err := invalid(wrong); err != nil {
		return k, "", err
	}
	if err := t.place(ctx, &k); err != nil {
		return k, "", err
	}
	if err := t.checkChatbot(ctx, k); err != nil {
		return k, "", err
	}
	text, hash := k.Issue()
	details := map[string]any{"kind": k.Kind, "mode": tenant.ModeOf(k.Test), "scopes": append([]tenant.Scope{}, k.Scopes...), "expiresAt": stamp(k.ExpiresAt)}
	return k, text, t.DB.CreateKey(ctx, k, hash, t.note(workspace, tenant.KeyCreated, id.Key.Format(k.ID), details))
}

// place puts a key of test data into its workspace's sandbox, making that if need be; a key for a sandbox is one of test data.
func (t Tenants) place(ctx context.Context, k *tenant.Key) error {
	w, err := t.DB.GetWorkspace(ctx, k.WorkspaceID)
	switch {
	case err != nil:
		return err
	case w.TestOf != id.UUID{}:
		k.Test = true
	case k.Test:
		sandbox := tenant.Workspace{ID: id.New(), TestOf: w.ID, CreatedAt: k.CreatedAt}
		note := t.note(w.ID, tenant.WorkspaceCreated, id.Workspace.Format(sandbox.ID), map[string]any{"mode": tenant.Test})
		k.WorkspaceID, err = t.DB.EnsureSandbox(ctx, sandbox, note)
	}
	return err
}

// checkChatbot wants the chatbot of a form to be one of the key's workspace.
func (t Tenants) checkChatbot(ctx context.Context, k tenant.Key) error {
	if k.Form == nil || k.Form.ChatbotID == "" {
		return nil
	}
	chatbot, err := id.Chatbot.Parse(k.Form.ChatbotID)
	if err != nil {
		return err // it was checked
	}
	there, err := t.DB.ChatbotExists(ctx, k.WorkspaceID, chatbot)
	if err == nil && !there {
		err = invalid([]fault.Field{{Field: "form.chatbotId", Pointer: "/form/chatbotId", Value: k.Form.ChatbotID, Message: "Must be a chatbot of the workspace the key is for; test data has chatbots of its own"}})
	}
	return err
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
	k := was.Successor(t.now())
	k.ID = id.New()
	text, hash := k.Issue()
	details := map[string]any{"next": id.Key.Format(k.ID), "mode": tenant.ModeOf(k.Test), "overlapSeconds": int(overlap.Seconds())}
	return k, text, t.DB.RotateKey(ctx, workspace, old, k.CreatedAt.Add(overlap), k, hash, t.note(workspace, tenant.KeyRotated, id.Key.Format(old), details))
}

// RevokeKey ends a key for ever; doing it again changes nothing.
func (t Tenants) RevokeKey(ctx context.Context, workspace, key id.UUID) error {
	return t.DB.RevokeKey(ctx, workspace, key, t.now(), t.note(workspace, tenant.KeyRevoked, id.Key.Format(key), nil))
}

// note is what the operator does now.
func (t Tenants) note(workspace id.UUID, action, target string, details map[string]any) *tenant.AuditEntry {
	return tenant.NewAuditEntry(workspace, id.UUID{}, action, target, details, t.now())
}

// now is in the resolution answers have.
func (t Tenants) now() time.Time { return t.Now().UTC().Truncate(time.Millisecond) }

func checkName(name string) []fault.Field {
	wrong := tenant.CheckName(name)
	if wrong == "" {
		return nil
	}
	return []fault.Field{{Field: "name", Pointer: "/name", Value: fault.Truncate(name), Message: wrong}}
}

func invalid(wrong []fault.Field) error {
	if len(wrong) == 0 {
		return nil
	}
	return fault.Invalid(wrong)
}
