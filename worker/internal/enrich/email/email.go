// Package email tells what an address says about its owner: whose domain it is and whether a person is behind it. It
// asks no network.
package email

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"leadgate/shared/lead"
	"leadgate/shared/mailbox"
	"leadgate/shared/tenant"
)

// roles are local parts that belong to a job and not to a person (RFC 2142 and everyday use).
const roles = "abuse accounting accounts admin administrator billing careers compliance contact customerservice dev devnull " +
	"enquiries feedback finance ftp hello help helpdesk hostmaster hr info inquiries investors invoice invoices it jobs legal " +
	"mail mailer-daemon marketing media news newsletter no-reply noc noreply office orders postmaster press privacy purchasing " +
	"recruiting reception root sales security service shop spam staff support sysadmin team tech usenet webmaster www"

// Facts is the section "email".
type Facts struct {
	Domain        string `json:"domain"`                  // as A-labels
	FreeMail      bool   `json:"freeMail"`                // anybody gets an address there
	Disposable    bool   `json:"disposable"`              // a throw-away address
	RoleAccount   bool   `json:"roleAccount"`             // a job's address, such as info@
	CompanyDomain string `json:"companyDomain,omitempty"` // the registrable domain, where it is an organisation's own
	// the domain that was probably meant: "gmail.com" for "gmial.com"
	Suggestion string `json:"suggestion,omitempty"`
}

// Provider has the lists.
type Provider struct {
	domains *mailbox.Lists
	roles   []string // sorted
}

// New reads the embedded lists.
func New() *Provider {
	return &Provider{domains: mailbox.New(), roles: slices.Sorted(strings.FieldsSeq(roles))}
}

// Name is "email".
func (p *Provider) Name() string { return "email" }

// Lookup returns Facts, or nil when the lead has no email.
func (p *Provider) Lookup(_ context.Context, l *lead.Lead, _ tenant.Settings) (any, error) {
	local, domain, ok := strings.Cut(l.AddressKey(), "@")
	if !ok {
		return nil, nil
	}
	if domain == "" {
		return nil, fmt.Errorf("lead without an email key")
	}
	f := Facts{
		Domain:      domain,
		Disposable:  p.domains.Disposable(domain),
		FreeMail:    p.domains.Free(domain),
		RoleAccount: p.role(local),
	}
	if !f.FreeMail {
		f.Suggestion = suggest(domain)
	}
	if !f.FreeMail && !f.Disposable && f.Suggestion == "" {
		f.CompanyDomain = mailbox.Registered(domain)
	}
	return f, nil
}

func (p *Provider) role(local string) bool {
	local, _, _ = strings.Cut(local, "+")
	_, ok := slices.BinarySearch(p.roles, local)
	return ok
}
