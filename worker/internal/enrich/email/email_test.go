package email_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lead"
	"leadgate/shared/tenant"
	"leadgate/worker/internal/enrich/email"
	"leadgate/worker/internal/enrich/enrichtest"
)

func TestConforms(t *testing.T) {
	t.Parallel()
	enrichtest.Conform(t, email.New())
}

func TestLookup(t *testing.T) {
	t.Parallel()
	p := email.New()
	for typed, want := range map[string]email.Facts{
		"john.doe@example.com":    {Domain: "example.com", CompanyDomain: "example.com"},
		"x@mail.eu.example.co.uk": {Domain: "mail.eu.example.co.uk", CompanyDomain: "example.co.uk"},
		"x@bücher.de":             {Domain: "xn--bcher-kva.de", CompanyDomain: "xn--bcher-kva.de"},
		"x@intranet.unknownend":   {Domain: "intranet.unknownend"},
		"x@co.uk":                 {Domain: "co.uk"},
		"John@GMAIL.com":          {Domain: "gmail.com", FreeMail: true},
		"x@yahoo.co.jp":           {Domain: "yahoo.co.jp", FreeMail: true},
		"x@web.de":                {Domain: "web.de", FreeMail: true},
		"x@mailinator.com":        {Domain: "mailinator.com", Disposable: true},
		"x@a.b.mailinator.com":    {Domain: "a.b.mailinator.com", Disposable: true},
		"x@our-mailinator.com":    {Domain: "our-mailinator.com", CompanyDomain: "our-mailinator.com"},
		"info@example.com":        {Domain: "example.com", CompanyDomain: "example.com", RoleAccount: true},
		"Sales+eu@example.com":    {Domain: "example.com", CompanyDomain: "example.com", RoleAccount: true},
		"no-reply@example.com":    {Domain: "example.com", CompanyDomain: "example.com", RoleAccount: true},
		"informer@example.com":    {Domain: "example.com", CompanyDomain: "example.com"},
		"x@gmai.com":              {Domain: "gmai.com", Suggestion: "gmail.com"},
		"x@gamil.com":             {Domain: "gamil.com", Suggestion: "gmail.com"},
		"x@hotmail.con":           {Domain: "hotmail.con", Suggestion: "hotmail.com"},
		"x@outloook.com":          {Domain: "outloook.com", Suggestion: "outlook.com"},
		"x@ymail.com":             {Domain: "ymail.com", FreeMail: true}, // near to two others, but itself
		"x@gmial.com":             {Domain: "gmial.com", Disposable: true, Suggestion: "gmail.com"},
	} {
		t.Run(typed, func(t *testing.T) {
			_, key, ok := lead.ParseEmail(typed)
			if !ok {
				t.Fatalf("ParseEmail(%q) refuses", typed)
			}
			got, err := p.Lookup(t.Context(), &lead.Lead{UniqueKey: key}, tenant.Settings{})
			if diff := cmp.Diff(any(want), got); diff != "" || err != nil {
				t.Errorf("Lookup(%q) differs (-want +got):\n%s\nerr = %v", typed, diff, err)
			}
		})
	}
}
