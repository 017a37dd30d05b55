package tenant

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/strictjson"
)

// Limits of a Brand.
const (
	maxLogoURL   = 2048    // characters
	maxBrandJSON = 8 << 10 // bytes
)

// Brand is how pages look for a customer: the console, and what visitors of a form see. It is stored as JSON; empty
// fields mean leadgate's own.
type Brand struct {
	Name    string `json:"name,omitempty"`
	LogoURL string `json:"logoUrl,omitempty"` // https
	Accent  string `json:"accent,omitempty"`  // #rrggbb
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

// OnAccent is black or white, whichever has more contrast on the accent (WCAG 2.2, relative luminance): at least 4.5 to
// 1. "": there is no accent.
func (b Brand) OnAccent() string {
	switch {
	case !colour.MatchString(b.Accent):
		return ""
	case luminance(b.Accent) > 0.179: // where both have the same contrast
		return "#000000"
	}
	return "#ffffff"
}

// LogoOrigin is the origin of the logo, for a content security policy; "": there is none.
func (b Brand) LogoOrigin() string {
	origin, _ := ParseOrigin(b.LogoURL)
	return origin
}

// luminance is the relative luminance of "#rrggbb" (WCAG 2.2).
func luminance(colour string) float64 {
	var parts [3]float64
	for i := range parts {
		n, _ := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8) // its form was checked
		c := float64(n) / 255
		if c <= 0.04045 {
			parts[i] = c / 12.92
		} else {
			parts[i] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*parts[0] + 0.7152*parts[1] + 0.0722*parts[2]
}
