package tenant

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
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
	maxLogoURL         = 2048    // characters
	maxBrandJSON       = 8 << 10 // bytes
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

// Brand is how the console looks for a customer. It is stored as JSON; empty fields mean leadgate's own.
type Brand struct {
	Name    string `json:"name,omitempty"`
	LogoURL string `json:"logoUrl,omitempty"` // https
	Accent  string `json:"accent,omitempty"`  // #rrggbb
}

// CheckSessionName returns what is wrong with the name of a session, or "". It may be empty.
func CheckSessionName(name string) string {
	if name == "" || CheckName(name) == "" {
		return ""
	}
	return fmt.Sprintf("Must be at most %d characters without control characters, or empty", MaxName)
}

// ReadBrand reads the current member of in, "brand", and adds its mistakes to in.
func ReadBrand(in *strictjson.Reader) (b Brand) {
	object := in.Object(maxBrandJSON, 1)
	if object == nil {
		return b
	}
	r := strictjson.NewReader(object, []string{"name", "logoUrl", "accent"})
	for r.Next() {
		switch r.Name() {
		case "name":
			b.Name = strings.TrimSpace(r.Text(MaxName))
		case "logoUrl":
			b.LogoURL = r.Text(maxLogoURL)
		case "accent":
			b.Accent = strings.ToLower(r.Text(len("#rrggbb")))
		}
	}
	wrong, more := r.Wrong()
	for i := range wrong {
		wrong[i].Field, wrong[i].Pointer = "brand."+wrong[i].Field, fault.Truncate("/brand"+wrong[i].Pointer)
	}
	in.Add(append(wrong, b.check()...)...)
	in.AddMore(more)
	return b
}

var colour = regexp.MustCompile(`^#[0-9a-f]{6}$`)

// check returns what is wrong with texts that are not too long.
func (b Brand) check() (wrong []fault.Field) {
	refuse := func(name, value, message string) {
		wrong = append(wrong, fault.Field{Field: "brand." + name, Pointer: "/brand/" + name, Value: fault.Truncate(value),
			Message: message})
	}
	if origin, ok := ParseOrigin(b.LogoURL); b.LogoURL != "" && (!ok || !strings.HasPrefix(origin, "https://")) {
		refuse("logoUrl", b.LogoURL, "Must be a complete https URL without a user name")
	}
	if b.Accent != "" && !colour.MatchString(b.Accent) {
		refuse("accent", b.Accent, "Must be a colour such as #0a7cff: # and six hexadecimal digits")
	}
	return wrong
}
