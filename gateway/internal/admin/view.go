package admin

import (
	"time"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
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
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Mode      tenant.Mode `json:"mode"`
	TestOf    string      `json:"testOf,omitempty"` // the workspace whose test data this one holds
	Rate      int         `json:"rate"`
	Burst     int         `json:"burst"`
	Statuses  []string    `json:"statuses"`
	Schedule  []int       `json:"retrySchedule"` // seconds before each attempt of a webhook
	CreatedAt Stamp       `json:"createdAt"`
	UpdatedAt Stamp       `json:"updatedAt"`
}

// ViewWorkspace shows w.
func ViewWorkspace(w tenant.Workspace) WorkspaceView {
	s := w.Settings.WithDefaults()
	v := WorkspaceView{
		ID: id.Workspace.Format(w.ID), Name: w.Name, Mode: tenant.Live, Rate: s.Rate, Burst: s.Burst, Statuses: s.Statuses, Schedule: schedule(s),
		CreatedAt: Stamp(w.CreatedAt), UpdatedAt: Stamp(w.UpdatedAt),
	}
	if w.TestOf != (id.UUID{}) {
		v.Mode, v.TestOf = tenant.Test, id.Workspace.Format(w.TestOf)
	}
	return v
}

func schedule(s tenant.Settings) []int {
	if len(s.RetrySchedule) > 0 {
		return s.RetrySchedule
	}
	var waits []int
	for _, wait := range webhook.DefaultSchedule() {
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
	Kind        tenant.KeyKind `json:"kind"`
	Mode        tenant.Mode    `json:"mode"`
	Secret      string         `json:"secret,omitempty"` // of a secret key, only in the answer that makes it
	Key         string         `json:"key,omitempty"`    // of a publishable key
	Form        *FormView      `json:"form,omitempty"`   // the same
	Hint        string         `json:"hint"`
	Scopes      []tenant.Scope `json:"scopes"`
	WorkspaceID string         `json:"workspaceId"`
	CreatedAt   Stamp          `json:"createdAt"`
	ExpiresAt   *Stamp         `json:"expiresAt"`
	RevokedAt   *Stamp         `json:"revokedAt"`
	LastUsedAt  *Stamp         `json:"lastUsedAt"`
}

// FormView is a form without what is secret of it.
type FormView struct {
	tenant.Form
	HasCaptchaSecret bool `json:"hasCaptchaSecret"`
}

// ViewKey shows k; text is "" unless the key was made just now.
func ViewKey(k tenant.Key, text string) KeyView {
	v := KeyView{
		ID: id.Key.Format(k.ID), Name: k.Name, Kind: k.Kind, Mode: tenant.ModeOf(k.Test), Key: k.Public, Hint: k.Hint, Scopes: append([]tenant.Scope{}, k.Scopes...), WorkspaceID: id.Workspace.Format(k.WorkspaceID),
		CreatedAt: Stamp(k.CreatedAt), ExpiresAt: stamp(k.ExpiresAt), RevokedAt: stamp(k.RevokedAt), LastUsedAt: stamp(k.LastUsedAt),
	}
	if k.Kind == tenant.SecretKey {
		v.Secret = text
	}
	if k.Form != nil {
		v.Form = &FormView{k.Form.Filled(), k.Form.CaptchaSecret != ""}
		v.Form.CaptchaSecret = ""
	}
	return v
}
