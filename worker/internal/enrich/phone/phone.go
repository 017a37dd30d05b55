// Package phone reads a phone number as people write it. It asks no network, so a valid number need not be in use.
package phone

import (
	"context"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"leadgate/shared/lead"
)

// Facts is the section "phone".
type Facts struct {
	Valid   bool   `json:"valid"`             // its country hands out such numbers
	E164    string `json:"e164,omitempty"`    // "+15551234567"; left out when no number can be made of it
	Country string `json:"country,omitempty"` // ISO 3166-1 alpha-2; left out when the number is not valid or of no country
}

// Provider reads numbers.
type Provider struct{}

// New returns a Provider.
func New() *Provider { return &Provider{} }

// Name is "phone".
func (p *Provider) Name() string { return "phone" }

// Lookup returns Facts, or nil when the lead has no phone. A number without + is not valid: its country could only be
// guessed.
func (p *Provider) Lookup(_ context.Context, l *lead.Lead) (any, error) {
	typed := strings.TrimSpace(l.Phone)
	if typed == "" {
		return nil, nil
	}
	number, err := phonenumbers.Parse(typed, "") // without a region only numbers with + parse
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return Facts{}, nil
	}
	f := Facts{E164: phonenumbers.Format(number, phonenumbers.E164)}
	region := phonenumbers.GetRegionCodeForNumber(number) // once: IsValidNumber would look it up again
	f.Valid = phonenumbers.IsValidNumberForRegion(number, region)
	if f.Valid && len(region) == 2 { // "001" is no country
		f.Country = region
	}
	return f, nil
}
