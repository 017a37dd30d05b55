// Package email tells what an address says about its owner: whose domain it is and whether a person is behind it. It
// asks no network.
package email

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

var (
	//go:embed disposable.txt
	disposableList string
	//go:embed freemail.txt
	freemailList string
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
	disposable, freemail, roles []string // sorted
}

// New reads the embedded lists.
func New() *Provider {
	return &Provider{disposable: lines(disposableList), freemail: lines(freemailList),
		roles: slices.Sorted(strings.FieldsSeq(roles))}
}

// lines returns the sorted lines of a list after its heading.
func lines(list string) []string {
	_, list, _ = strings.Cut(list, "\n")
	return strings.Split(strings.TrimSuffix(list, "\n"), "\n")
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
	registrable := registered(domain)
	f := Facts{
		Domain:      domain,
		Disposable:  listed(p.disposable, domain, registrable),
		FreeMail:    listed(p.freemail, domain, registrable),
		RoleAccount: p.role(local),
	}
	if !f.FreeMail {
		f.Suggestion = suggest(domain)
	}
	if !f.FreeMail && !f.Disposable && f.Suggestion == "" {
		f.CompanyDomain = registrable
	}
	return f, nil
}

func (p *Provider) role(local string) bool {
	local, _, _ = strings.Cut(local, "+")
	_, ok := slices.BinarySearch(p.roles, local)
	return ok
}

// registered returns the part of domain that somebody registered, or "" where no registry is known for it.
func registered(domain string) string {
	suffix, icann := publicsuffix.PublicSuffix(domain)
	if !icann && !strings.Contains(suffix, ".") { // the rule for unknown endings
		return ""
	}
	owned, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil { // domain is itself a suffix
		return ""
	}
	return owned
}

// listed reports whether domain, or one of its parents down to the registrable one, is in list.
func listed(list []string, domain, registrable string) bool {
	for {
		if _, ok := slices.BinarySearch(list, domain); ok {
			return true
		}
		_, parent, _ := strings.Cut(domain, ".")
		if domain == registrable || !strings.HasSuffix(parent, registrable) || registrable == "" {
			return false
		}
		domain = parent
	}
}
