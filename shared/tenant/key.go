package tenant

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"leadgate/shared/fault"
)

// Limits of workspaces, chatbots and keys.
const (
	MaxName        = 100                 // characters of a name
	DefaultOverlap = 24 * time.Hour      // for which a rotated key keeps working
	MaxOverlap     = 30 * 24 * time.Hour // the longest overlap
	MinLife        = time.Minute         // of a key that expires
)

// CheckName returns what is wrong with the name of a workspace, chatbot or key, or "". Spaces around it do not count.
func CheckName(name string) string {
	trimmed := strings.TrimSpace(name)
	if n := utf8.RuneCountInString(trimmed); n > 0 && n <= MaxName && utf8.ValidString(trimmed) &&
		!strings.ContainsFunc(trimmed, unicode.IsControl) {
		return ""
	}
	return fmt.Sprintf("Must be 1 to %d characters without control characters", MaxName)
}

// ExpiryRule is the message for an expiry that is TooSoon.
const ExpiryRule = "Must be at least one minute in the future"

// TooSoon reports whether a key made now would end too soon. It counts whole seconds: time passes between asking for a
// minute and checking it.
func TooSoon(expires, now time.Time) bool { return expires.Sub(now).Round(time.Second) < MinLife }

// Issue gives k a text of its kind and mode and returns it with its hash. Of a secret key nothing else keeps the text.
func (k *Key) Issue() (text string, hash [32]byte) {
	if k.Kind == "" {
		k.Kind = SecretKey
	}
	text = NewText(k.Kind, k.Test)
	hash, _ = HashSecret(text) // just made: its form is right
	k.Hint = Hint(text)
	if k.Kind == PublishableKey {
		k.Public = text
	}
	return text, hash
}

// Successor is a key that may do what k may and lives as long as k was made to live; its id and text are still to be
// given.
func (k Key) Successor(now time.Time) Key {
	next := Key{WorkspaceID: k.WorkspaceID, Name: k.Name, Kind: k.Kind, Test: k.Test, Form: k.Form, Scopes: k.Scopes,
		CreatedAt: now}
	if k.ExpiresAt != nil {
		until := now.Add(k.ExpiresAt.Sub(k.CreatedAt))
		next.ExpiresAt = &until
	}
	return next
}

// EndsBy makes k end at latest if it would live longer: a key that expires makes none that outlives it. Nil: no bound.
func (k *Key) EndsBy(latest *time.Time) {
	if latest != nil && (k.ExpiresAt == nil || k.ExpiresAt.After(*latest)) {
		end := *latest
		k.ExpiresAt = &end
	}
}

// Mode is what clients call a workspace's kind of data, and the keys for it.
type Mode string

// The modes.
const (
	Live Mode = "live"
	Test Mode = "test"
)

// ModeOf returns the mode of test data or of live data.
func ModeOf(test bool) Mode {
	if test {
		return Test
	}
	return Live
}

// CheckForm returns what a key of this kind cannot have of what it was given.
func CheckForm(kind KeyKind, form, scopes bool) (wrong []fault.Field) {
	if form && kind != PublishableKey {
		wrong = append(wrong, fault.Field{Field: "form", Pointer: "/form",
			Message: "Must be left out: only a publishable key has a form"})
	}
	if scopes && kind == PublishableKey {
		wrong = append(wrong, fault.Field{Field: "scopes", Pointer: "/scopes",
			Message: "Must be left out: a publishable key opens its form and nothing else"})
	}
	return wrong
}
