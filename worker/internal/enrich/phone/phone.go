// Package phone reads a phone number as people write it. It asks no network, so a valid number need not be in use.
package phone

import (
	"context"
	"strings"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// Facts is the section "phone".
type Facts struct {
	Valid   bool   `json:"valid"`             // its country hands out such numbers
	E164    string `json:"e164,omitempty"`    // "+15551234567"; left out when no number can be made of it
	Ext     string `json:"ext,omitempty"`     // the extension, in digits
	Country string `json:"country,omitempty"` // ISO 3166-1 alpha-2; left out when the number is not valid or of no country
}

// Provider reads numbers.
type Provider struct{}

// New returns a Provider.
func New() *Provider { return &Provider{} }

// Name is "phone".
func (p *Provider) Name() string { return "phone" }

// Lookup returns Facts, or nil when the lead has no phone. A number without + is of the workspace's default region;
// where it has none the number is not valid: its country could only be guessed.
func (p *Provider) Lookup(_ context.Context, l *lead.Lead, s tenant.Settings) (any, error) {
	if strings.TrimSpace(l.Phone) == "" {
		return nil, nil
	}
	number, ok := lead.ParsePhone(l.Phone, s.DefaultRegion)
	if !ok {
		return Facts{}, nil
	}
	return Facts{Valid: number.Valid, E164: number.E164, Ext: number.Ext, Country: number.Country}, nil
}
