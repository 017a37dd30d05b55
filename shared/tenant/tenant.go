// Package tenant is who uses leadgate: workspaces, their chatbots and their keys, and what each may do.
package tenant

import (
	"slices"
	"time"

	"leadgate/shared/id"
)

// Workspace owns leads, keys, chatbots and endpoints; nothing is shared between two.
type Workspace struct {
	ID        id.UUID
	Name      string
	Settings  Settings
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Settings is what differs between workspaces. It is stored as JSON; a zero field means its default.
type Settings struct {
	Rate     int      `json:"rate,omitempty"`     // requests per second, sustained
	Burst    int      `json:"burst,omitempty"`    // requests at once
	Statuses []string `json:"statuses,omitempty"` // what a lead's status may be; the first is the default

	RetrySchedule []int `json:"retrySchedule,omitempty"` // seconds before each attempt of a webhook; hook.DefaultSchedule when empty
}

// Defaults and bounds of Settings.
const (
	DefaultRate  = 1000
	DefaultBurst = 2000
	MaxRate      = 1_000_000
	MaxStatuses  = 50
)

// DefaultStatuses is what a lead's status may be where the workspace has no list of its own.
func DefaultStatuses() []string {
	return []string{"new", "contacted", "qualified", "unqualified", "converted", "lost"}
}

// WithDefaults returns s with every zero field filled in.
func (s Settings) WithDefaults() Settings {
	if s.Rate == 0 {
		s.Rate = DefaultRate
	}
	if s.Burst == 0 {
		s.Burst = max(DefaultBurst, s.Rate)
	}
	if len(s.Statuses) == 0 {
		s.Statuses = DefaultStatuses()
	}
	return s
}

// Chatbot is a page's assistant that brings leads in.
type Chatbot struct {
	WorkspaceID id.UUID
	ID          id.UUID
	Name        string
	CreatedAt   time.Time
}

// Key is an API key without its secret, which is shown once and stored only as a hash.
type Key struct {
	WorkspaceID id.UUID
	ID          id.UUID
	Name        string
	Hint        string // the secret's last four characters
	Scopes      []Scope
	CreatedAt   time.Time
	ExpiresAt   *time.Time // nil: never
	RevokedAt   *time.Time // nil: not revoked
	LastUsedAt  *time.Time // nil: never; exact to a minute
}

// Live tells whether the key opens anything at now.
func (k Key) Live(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

// Scope is one thing a key may do.
type Scope string

// The scopes.
const (
	LeadsRead       Scope = "leads:read"
	LeadsWrite      Scope = "leads:write"
	WebhooksManage  Scope = "webhooks:manage"
	KeysManage      Scope = "keys:manage"
	WorkspaceManage Scope = "workspace:manage"
)

// Scopes returns all of them.
func Scopes() []Scope {
	return []Scope{LeadsRead, LeadsWrite, WebhooksManage, KeysManage, WorkspaceManage}
}

// DefaultScopes is what a key may do when nothing else is asked for.
func DefaultScopes() []Scope { return []Scope{LeadsRead, LeadsWrite, WebhooksManage} }

// Principal is whom a request acts for: the workspace and what its key allows.
type Principal struct {
	WorkspaceID id.UUID
	KeyID       id.UUID
	Scopes      []Scope
	Settings    Settings   // with defaults filled in
	ExpiresAt   *time.Time // of the key; nil: never
}

// KeyUse is when a key was last used.
type KeyUse struct {
	WorkspaceID id.UUID
	KeyID       id.UUID
	At          time.Time
}

// May tells whether the principal's key has scope s.
func (p *Principal) May(s Scope) bool { return slices.Contains(p.Scopes, s) }
