package tenant

import (
	"fmt"
	"time"

	"leadgate/shared/id"
)

// Limits of console sessions and of the links that open them.
const (
	MinSessionLife     = time.Minute
	MaxSessionLife     = 12 * time.Hour
	DefaultSessionLife = time.Hour
	MinLinkLife        = 10 * time.Second
	MaxLinkLife        = time.Hour
	DefaultLinkLife    = 5 * time.Minute
	MaxFrameOrigins    = 10
)

// Session is a visit to the console: one browser may do there what its scopes allow, for a while.
type Session struct {
	ID            id.UUID
	WorkspaceID   id.UUID
	KeyID         id.UUID // the API key that opened it, with which it ends; zero: the operator
	Name          string  // who it is for; may be empty
	Scopes        []Scope
	FrameOrigins  []string // whose pages may show the console in a frame; empty: none
	Brand         Brand
	CreatedAt     time.Time
	ExpiresAt     time.Time
	LinkExpiresAt *time.Time // nil: it was opened without a link
	OpenedAt      *time.Time // nil: its link was not used yet
	EndedAt       *time.Time // nil: nobody ended it
}

// CheckSessionName returns what is wrong with the name of a session, or "". It may be empty.
func CheckSessionName(name string) string {
	if name == "" || CheckName(name) == "" {
		return ""
	}
	return fmt.Sprintf("Must be at most %d characters without control characters, or empty", MaxName)
}
