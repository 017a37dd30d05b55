package tenants

import (
	"cmp"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

func stamp(at time.Time) string { return at.UTC().Format(lead.TimeFormat) }

// optionalStamp shows an absent time as null.
func optionalStamp(at *time.Time) *string {
	if at == nil {
		return nil
	}
	text := stamp(*at)
	return &text
}

// WorkspaceView is a workspace as its own keys see it, with its defaults filled in.
type WorkspaceView struct {
	ID             string          `json:"id"`
	Name           string          `json:"name"`
	Mode           tenant.Mode     `json:"mode"`
	Rate           int             `json:"rate"`
	Burst          int             `json:"burst"`
	RateCeiling    int             `json:"rateCeiling"` // the operator decides the ceilings
	BurstCeiling   int             `json:"burstCeiling"`
	Statuses       []string        `json:"statuses"`
	Dedupe         tenant.Dedupe   `json:"dedupe"`
	Identify       tenant.Identify `json:"identify"`
	DefaultRegion  *string         `json:"defaultRegion"` // null: none
	AllowedOrigins []string        `json:"allowedOrigins"`
	RetrySchedule  []int           `json:"retrySchedule"`    // seconds before each attempt
	DeliveryTarget *int            `json:"deliveryTargetMs"` // null: none
	CreatedAt      string          `json:"createdAt"`
	UpdatedAt      string          `json:"updatedAt"`
}

// ViewWorkspace shows w to its own keys.
func ViewWorkspace(w tenant.Workspace) WorkspaceView {
	s := w.Settings.WithDefaults()
	perSecond, burst := s.RequestLimit()
	return WorkspaceView{
		ID: id.Workspace.Format(w.ID), Name: w.Name, Mode: tenant.ModeOf(w.TestOf != id.UUID{}),
		Rate: perSecond, Burst: burst, RateCeiling: s.Rate, BurstCeiling: s.Burst,
		Statuses: s.Statuses, Dedupe: cmp.Or(s.Dedupe, tenant.DedupeWorkspace),
		Identify: cmp.Or(s.Identify, tenant.IdentifyEmail), DefaultRegion: optionalText(s.DefaultRegion),
		AllowedOrigins: append([]string{}, s.AllowedOrigins...), RetrySchedule: retrySchedule(s),
		DeliveryTarget: optionalNumber(s.DeliveryTargetMS), CreatedAt: stamp(w.CreatedAt), UpdatedAt: stamp(w.UpdatedAt),
	}
}

// optionalNumber shows 0 as null.
func optionalNumber(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// optionalText shows an empty text as null.
func optionalText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func retrySchedule(s tenant.Settings) (seconds []int) {
	if len(s.RetrySchedule) > 0 {
		return s.RetrySchedule
	}
	for _, wait := range webhook.DefaultSchedule() {
		seconds = append(seconds, int(wait/time.Second))
	}
	return seconds
}

// LimitsView is a workspace as the operator sees it, with its defaults filled in.
type LimitsView struct {
	ID             string      `json:"id"`
	Name           string      `json:"name"`
	Mode           tenant.Mode `json:"mode"`
	TestOf         string      `json:"testOf,omitempty"` // the workspace whose sandbox this is
	Rate           int         `json:"rate"`
	Burst          int         `json:"burst"`
	Statuses       []string    `json:"statuses"`
	RetrySchedule  []int       `json:"retrySchedule"`    // seconds before each attempt
	DeliveryTarget *int        `json:"deliveryTargetMs"` // null: none
	CreatedAt      string      `json:"createdAt"`
	UpdatedAt      string      `json:"updatedAt"`

	Suspension *SuspensionView `json:"suspension"` // null: it is not suspended
}

// SuspensionView is a suspension as JSON.
type SuspensionView struct {
	Since      string  `json:"since"`
	Reason     string  `json:"reason"`
	ExportedAt *string `json:"exportedAt"` // null: nobody has exported the workspace since
	Deleting   bool    `json:"deleting"`
}

// ViewLimits shows w to the operator.
func ViewLimits(w tenant.Workspace) LimitsView {
	s := w.Settings.WithDefaults()
	v := LimitsView{
		ID: id.Workspace.Format(w.ID), Name: w.Name, Mode: tenant.ModeOf(w.TestOf != id.UUID{}),
		Rate: s.Rate, Burst: s.Burst, Statuses: s.Statuses, RetrySchedule: retrySchedule(s),
		DeliveryTarget: optionalNumber(s.DeliveryTargetMS), CreatedAt: stamp(w.CreatedAt), UpdatedAt: stamp(w.UpdatedAt),
	}
	if w.TestOf != (id.UUID{}) {
		v.TestOf = id.Workspace.Format(w.TestOf)
	}
	if p := w.Suspension; p != nil {
		v.Suspension = &SuspensionView{stamp(p.At), p.Reason, optionalStamp(p.ExportedAt), p.Deleting}
	}
	return v
}

// ChatbotView is a chatbot as JSON.
type ChatbotView struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	WorkspaceID string `json:"workspaceId"`
	CreatedAt   string `json:"createdAt"`
}

// ViewChatbot shows c.
func ViewChatbot(c tenant.Chatbot) ChatbotView {
	return ChatbotView{id.Chatbot.Format(c.ID), c.Name, id.Workspace.Format(c.WorkspaceID), stamp(c.CreatedAt)}
}

// KeyView is an API key as JSON.
type KeyView struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Kind        tenant.KeyKind `json:"kind"`
	Mode        tenant.Mode    `json:"mode"`
	Hint        string         `json:"hint"`
	Scopes      []tenant.Scope `json:"scopes"`
	Secret      string         `json:"secret,omitempty"` // of a secret key, only in the answer that creates it
	Key         string         `json:"key,omitempty"`    // of a publishable key
	Form        *FormView      `json:"form,omitempty"`   // of a publishable key
	WorkspaceID string         `json:"workspaceId"`
	CreatedAt   string         `json:"createdAt"`
	ExpiresAt   *string        `json:"expiresAt"`
	RevokedAt   *string        `json:"revokedAt"`
	LastUsedAt  *string        `json:"lastUsedAt"`
}

// FormView is a form with its defaults filled in and without its captcha's secret.
type FormView struct {
	tenant.Form
	HasCaptchaSecret bool `json:"hasCaptchaSecret"`
}

// ViewKey shows k without the text of a secret key.
func ViewKey(k tenant.Key) KeyView {
	v := KeyView{
		ID: id.Key.Format(k.ID), Name: k.Name, Kind: k.Kind, Mode: tenant.ModeOf(k.Test), Hint: k.Hint,
		Scopes: append([]tenant.Scope{}, k.Scopes...), Key: k.Public, WorkspaceID: id.Workspace.Format(k.WorkspaceID),
		CreatedAt: stamp(k.CreatedAt), ExpiresAt: optionalStamp(k.ExpiresAt), RevokedAt: optionalStamp(k.RevokedAt),
		LastUsedAt: optionalStamp(k.LastUsedAt),
	}
	if k.Form != nil {
		v.Form = &FormView{k.Form.WithDefaults(), k.Form.CaptchaSecret != "" || k.Form.Unreadable != nil}
		v.Form.CaptchaSecret = ""
	}
	return v
}

// ViewIssued shows k with the text that it was issued just now.
func ViewIssued(k tenant.Key, text string) KeyView {
	v := ViewKey(k)
	if k.Kind == tenant.SecretKey {
		v.Secret = text
	}
	return v
}

// SessionView is a console session as JSON.
type SessionView struct {
	ID            string         `json:"id"`
	Name          string         `json:"name"`
	KeyID         *string        `json:"keyId"`         // null: the operator
	URL           string         `json:"url,omitempty"` // opens it once; only in the answer that creates it
	Scopes        []tenant.Scope `json:"scopes"`
	FrameOrigins  []string       `json:"frameOrigins"`
	Brand         tenant.Brand   `json:"brand"`
	WorkspaceID   string         `json:"workspaceId"`
	CreatedAt     string         `json:"createdAt"`
	ExpiresAt     string         `json:"expiresAt"`
	LinkExpiresAt *string        `json:"linkExpiresAt"` // null: it was opened with a key
	OpenedAt      *string        `json:"openedAt"`
	EndedAt       *string        `json:"endedAt"`
}

// ViewSession shows s without what opens it.
func ViewSession(s tenant.Session) SessionView {
	v := SessionView{
		ID: id.ConsoleSession.Format(s.ID), Name: s.Name, Scopes: append([]tenant.Scope{}, s.Scopes...),
		FrameOrigins: append([]string{}, s.FrameOrigins...), Brand: s.Brand, WorkspaceID: id.Workspace.Format(s.WorkspaceID),
		CreatedAt: stamp(s.CreatedAt), ExpiresAt: stamp(s.ExpiresAt), LinkExpiresAt: optionalStamp(s.LinkExpiresAt),
		OpenedAt: optionalStamp(s.OpenedAt), EndedAt: optionalStamp(s.EndedAt),
	}
	if s.KeyID != (id.UUID{}) {
		v.KeyID = optionalText(id.Key.Format(s.KeyID))
	}
	return v
}

// ViewSessionLink shows s, just created, with the URL that opens it at an installation's origin. The link is in the
// fragment, which browsers send to nobody.
func ViewSessionLink(s tenant.Session, origin, link string) SessionView {
	v := ViewSession(s)
	v.URL = origin + "/console/open#" + link
	return v
}
