package admin

import (
	"time"

	"leadgate/shared/hook"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// Stamp shows a time in UTC with milliseconds.
type Stamp time.Time

// MarshalText implements encoding.TextMarshaler.
func (s Stamp) MarshalText() ([]byte, error) {
	return time.Time(s).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"), nil
}

func stamp(t *time.Time) *Stamp { return (*Stamp)(t) }

// WorkspaceView is a workspace as JSON, its defaults filled in.
type WorkspaceView struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Rate      int      `json:"rate"`
	Burst     int      `json:"burst"`
	Statuses  []string `json:"statuses"`
	Schedule  []int    `json:"retrySchedule"` // seconds before each attempt of a webhook
	CreatedAt Stamp    `json:"createdAt"`
	UpdatedAt Stamp    `json:"updatedAt"`
}

// ViewWorkspace shows w.
func ViewWorkspace(w tenant.Workspace) WorkspaceView {
	s := w.Settings.WithDefaults()
	return WorkspaceView{id.Workspace.Format(w.ID), w.Name, s.Rate, s.Burst, s.Statuses, schedule(s), Stamp(w.CreatedAt), Stamp(w.UpdatedAt)}
}

func schedule(s tenant.Settings) []int {
	if len(s.RetrySchedule) > 0 {
		return s.RetrySchedule
	}
	var waits []int
	for _, wait := range hook.DefaultSchedule() {
		waits = append(waits, int(wait/time.Second))
	}
	return waits
}

// ChatbotView is a chatbot as JSON.
type ChatbotView struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	WorkspaceID string `json:"workspaceId"`
	CreatedAt   Stamp  `json:"createdAt"`
}

// ViewChatbot shows c.
func ViewChatbot(c tenant.Chatbot) ChatbotView {
	return ChatbotView{id.Chatbot.Format(c.ID), c.Name, id.Workspace.Format(c.WorkspaceID), Stamp(c.CreatedAt)}
}

// KeyView is a key as JSON.
type KeyView struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Secret      string         `json:"secret,omitempty"` // only in the answer that makes the key
	Hint        string         `json:"hint"`
	Scopes      []tenant.Scope `json:"scopes"`
	WorkspaceID string         `json:"workspaceId"`
	CreatedAt   Stamp          `json:"createdAt"`
	ExpiresAt   *Stamp         `json:"expiresAt"`
	RevokedAt   *Stamp         `json:"revokedAt"`
	LastUsedAt  *Stamp         `json:"lastUsedAt"`
}

// ViewKey shows k; secret is "" unless the key was made just now.
func ViewKey(k tenant.Key, secret string) KeyView {
	return KeyView{
		ID: id.Key.Format(k.ID), Name: k.Name, Secret: secret, Hint: k.Hint, Scopes: k.Scopes, WorkspaceID: id.Workspace.Format(k.WorkspaceID),
		CreatedAt: Stamp(k.CreatedAt), ExpiresAt: stamp(k.ExpiresAt), RevokedAt: stamp(k.RevokedAt), LastUsedAt: stamp(k.LastUsedAt),
	}
}
