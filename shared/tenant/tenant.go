// Package tenant defines who uses leadgate, which is multi-tenant: workspaces, their chatbots and API keys, and what
// each may do.
package tenant

import (
	"slices"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/limit"
)

// Workspace owns leads, keys, chatbots and endpoints; nothing is shared between two.
type Workspace struct {
	ID        id.UUID
	Name      string
	Settings  Settings
	TestOf    id.UUID // the workspace whose sandbox this is; zero: it holds live data
	CreatedAt time.Time
	UpdatedAt time.Time

	Suspension *Suspension // nil: it is not suspended
}

// Settings is what differs between workspaces. It is stored as JSON; a zero field means its default. Rate and Burst are
// the operator's ceilings, OwnRate and OwnBurst what the workspace wants within them.
type Settings struct {
	Rate     int      `json:"rate,omitempty"`     // requests per second, sustained
	Burst    int      `json:"burst,omitempty"`    // requests at once
	Statuses []string `json:"statuses,omitempty"` // what a lead's status may be; the first is the default

	// RetrySchedule is the seconds before each attempt of a webhook; empty means webhook.DefaultSchedule.
	RetrySchedule []int `json:"retrySchedule,omitempty"`

	// milliseconds that 95 % of an endpoint's deliveries should not exceed; 0: no target
	DeliveryTargetMS int `json:"deliveryTargetMs,omitempty"`

	OwnRate        int      `json:"ownRate,omitempty"`        // at most Rate
	OwnBurst       int      `json:"ownBurst,omitempty"`       // at most Burst
	AllowedOrigins []string `json:"allowedOrigins,omitempty"` // sites that may use forms without a list of their own
	Dedupe         Dedupe   `json:"dedupe,omitempty"`         // empty means DedupeWorkspace
	Identify       Identify `json:"identify,omitempty"`       // empty means IdentifyEmail
	// where phones without + are from, ISO 3166-1 alpha-2; empty: nobody knows
	DefaultRegion string `json:"defaultRegion,omitempty"`
	Suppressing   bool   `json:"suppressing,omitempty"` // there are suppressed emails; read by version 0.1.0 only
	// bumped by each deletion, which invalidates cached chatbots
	ChatbotsVersion int64 `json:"chatbotsGone,omitempty"`
}

// Identify says what a lead must have to be one.
type Identify string

// What identifies leads.
const (
	IdentifyEmail        Identify = "email"          // an email
	IdentifyEmailOrPhone Identify = "email_or_phone" // an email, or else a phone that can be called
)

// Identifies returns all that can identify leads.
func Identifies() []Identify { return []Identify{IdentifyEmail, IdentifyEmailOrPhone} }

// Rules are what the workspace asks of its leads. s has its defaults.
func (s Settings) Rules() lead.Rules {
	return lead.Rules{Statuses: s.Statuses, Phones: s.Identify == IdentifyEmailOrPhone, Region: s.DefaultRegion}
}

// Dedupe says among which leads an email is unique.
type Dedupe string

// The scopes of uniqueness.
const (
	DedupeWorkspace Dedupe = "workspace" // all of the workspace
	DedupeChatbot   Dedupe = "chatbot"   // those of one chatbot; leads of no chatbot are among themselves
	DedupeNone      Dedupe = "none"      // an email can come any number of times
)

// Dedupes returns all scopes of uniqueness.
func Dedupes() []Dedupe { return []Dedupe{DedupeWorkspace, DedupeChatbot, DedupeNone} }

// UniqueKey returns what is unique of a lead: its lead.AddressKey, and after a space, which no key has, what it is
// unique with.
func (s Settings) UniqueKey(emailKey string, chatbot, lead id.UUID) string {
	switch s.Dedupe {
	case DedupeChatbot:
		return emailKey + " " + id.Chatbot.Format(chatbot)
	case DedupeNone:
		return FreedKey(emailKey, lead)
	}
	return emailKey
}

// FreedKey is the unique key of a lead that keeps its email from nobody.
func FreedKey(emailKey string, lead id.UUID) string {
	return FreedKeys(emailKey) + id.Lead.Format(lead)
}

// FreedKeys is what each FreedKey of an email begins with.
func FreedKeys(emailKey string) string { return emailKey + " " }

// RequestLimit returns the requests per second and at once that count: the operator's, or what the workspace wants
// within them. s has its defaults.
func (s Settings) RequestLimit() (perSecond, burst int) {
	perSecond, burst = s.Rate, s.Burst
	if s.OwnRate > 0 {
		perSecond = min(perSecond, s.OwnRate)
	}
	if s.OwnBurst > 0 {
		burst = min(burst, s.OwnBurst)
	}
	return perSecond, burst
}

// RateLimit is RequestLimit for the rate limiter.
func (s Settings) RateLimit() limit.Rate {
	perSecond, burst := s.RequestLimit()
	return limit.NewRate(perSecond, time.Second, burst)
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

// Chatbot is an assistant on a web page that collects leads.
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
	Kind        KeyKind
	Test        bool   // it works in the sandbox
	Public      string // the whole text of a publishable key
	Form        *Form  // of a publishable key
	Scopes      []Scope
	CreatedAt   time.Time
	ExpiresAt   *time.Time // nil: never
	RevokedAt   *time.Time // nil: not revoked
	LastUsedAt  *time.Time // nil: never; exact to a minute
}

// Live reports whether the key works at now.
func (k Key) Live(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

// KeyKind says what a key is for.
type KeyKind string

// The kinds.
const (
	SecretKey      KeyKind = "secret"      // for servers: it may do what its scopes allow
	PublishableKey KeyKind = "publishable" // for web pages: it may submit its form and nothing else
)

// Form is how a publishable key takes leads in. It is stored as JSON.
type Form struct {
	ChatbotID string `json:"chatbotId,omitempty"` // cb_...; "": the leads are of no chatbot
	// whose pages may use it: "https://example.com", or "*" for all; empty: the workspace's
	Origins []string `json:"origins,omitempty"`
	// where a plain form goes that names no _next; "": a thank-you page
	RedirectURL string `json:"redirectUrl,omitempty"`
	Source      string `json:"source,omitempty"`   // of its leads; "": DefaultFormSource
	Honeypot    string `json:"honeypot,omitempty"` // the field that people do not see; "": DefaultHoneypot
	// whoever fills it in faster is no person; 0: not looked at
	MinFillMS int `json:"minFillMs,omitempty"`
	// "append" to, "update" or "ignore" the lead that has the email; "": append
	OnDuplicate   string `json:"onDuplicate,omitempty"`
	SuspectAt     *int   `json:"suspectAt,omitempty"`     // points that mark a submission; 0: never; nil: DefaultSuspectAt
	HoldAt        *int   `json:"holdAt,omitempty"`        // points that hold it; 0: never; nil: DefaultHoldAt
	MaxHeldPerDay int    `json:"maxHeldPerDay,omitempty"` // submissions; 0: DefaultMaxHeldPerDay
	Captcha       string `json:"captcha,omitempty"`       // "turnstile", "hcaptcha", "recaptcha", "altcha"; "": none
	CaptchaSecret string `json:"captchaSecret,omitempty"` // for the verifier; never shown
	Unreadable    error  `json:"-"`                       // why CaptchaSecret, which is empty then, cannot be read; nil: it is
	// what to do while the verifier does not answer: "accept" or "refuse"; "": accept
	CaptchaOutage string `json:"captchaOutage,omitempty"`
	// of a reCAPTCHA that scores, 0 to 1; lower is no person; nil: DefaultCaptchaScore
	CaptchaMinScore *float64 `json:"captchaMinScore,omitempty"`
	// the largest number that a proof of work searches for; on average it tries half; 0: DefaultDifficulty
	CaptchaDifficulty int `json:"captchaDifficulty,omitempty"`
	// what comes without a valid token of the page gets points; it is not refused
	RequireToken bool `json:"requireToken,omitempty"`
	PerMinute    int  `json:"perMinute,omitempty"`   // submissions; 0: DefaultFormPerMinute
	PerMinuteIP  int  `json:"perMinuteIp,omitempty"` // of one address; 0: DefaultFormPerMinuteIP
	// where a known tool has the fields, one of Presets; "": it is guessed
	Preset string `json:"preset,omitempty"`
	// what the form calls a lead's fields: for each of FormTargets, or a member of metadata, a path, or several of which
	// the first counts that has something; what is not there is guessed
	Fields map[string][]string `json:"fields,omitempty"`
	Ignore []string            `json:"ignore,omitempty"` // paths of what is not kept

	// How the pages look that visitors see where their site has none of its own:
	Lang       string `json:"lang,omitempty"` // one of Languages; "": the visitor's
	Brand      Brand  `json:"brand,omitzero"`
	ThanksText string `json:"thanksText,omitempty"` // "": a text of ours
	BackURL    string `json:"backUrl,omitempty"`    // where the thank-you page leads; "": the page that sent the form
	BackText   string `json:"backText,omitempty"`   // of that link; "": a text of ours
}

// Defaults of a Form.
const (
	DefaultFormSource      = "form"
	DefaultHoneypot        = "_gotcha"
	DefaultCaptchaScore    = 0.5
	DefaultDifficulty      = 200_000 // half a second on a phone
	DefaultFormPerMinute   = 6000
	DefaultFormPerMinuteIP = 20
	DefaultSuspectAt       = 40 // points; a submission that has as many is marked
	DefaultHoldAt          = 70 // points; a submission that has as many is held
	DefaultMaxHeldPerDay   = 5000
)

// Scope is one kind of access that a key may have.
type Scope string

// The scopes.
const (
	LeadsRead       Scope = "leads:read"
	LeadsWrite      Scope = "leads:write"
	WebhooksManage  Scope = "webhooks:manage"
	KeysManage      Scope = "keys:manage"
	WorkspaceManage Scope = "workspace:manage"
)

// Scopes returns all scopes.
func Scopes() []Scope {
	return []Scope{LeadsRead, LeadsWrite, WebhooksManage, KeysManage, WorkspaceManage}
}

// DefaultScopes returns the scopes of a key that is created without any.
func DefaultScopes() []Scope { return []Scope{LeadsRead, LeadsWrite, WebhooksManage} }

// Principal is whom a request acts for: a workspace, and what its key may do there.
type Principal struct {
	WorkspaceID id.UUID
	KeyID       id.UUID // zero: the operator, in a console session
	SessionID   id.UUID // of the console session that the key opened; zero: the key itself
	Kind        KeyKind
	Form        *Form   // of a publishable key
	TestOf      id.UUID // the workspace whose sandbox this is; zero: it is live
	Scopes      []Scope
	Settings    Settings   // with defaults filled in
	SuspendedAt *time.Time // since when the workspace is suspended; nil: it is not
	ExpiresAt   *time.Time // of the key, also in a console session, which ends earlier; nil: never
}

// Payer is the workspace whose rate, slots and memory the principal uses up: that of live data, also for its sandbox,
// so that nobody has everything twice.
func (p *Principal) Payer() id.UUID {
	if p.TestOf != (id.UUID{}) {
		return p.TestOf
	}
	return p.WorkspaceID
}

// KeyUse records when a key was last used.
type KeyUse struct {
	WorkspaceID id.UUID
	KeyID       id.UUID
	At          time.Time
}

// May reports whether the principal's key has scope s.
func (p *Principal) May(s Scope) bool { return slices.Contains(p.Scopes, s) }
