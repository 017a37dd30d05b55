// Package mailbox knows the domains where anybody gets an email address, for good or for an hour. It asks no network.
package mailbox

import (
	_ "embed"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

var (
	//go:embed disposable.txt
	disposableList string
	//go:embed freemail.txt
	freemailList string
)

// Lists are the domains that are known.
type Lists struct {
	disposable, freemail []string // sorted
}

// New reads the embedded lists.
func New() *Lists { return &Lists{disposable: lines(disposableList), freemail: lines(freemailList)} }

// lines returns the sorted lines of a list after its heading.
func lines(list string) []string {
	_, list, _ = strings.Cut(list, "\n")
	return strings.Split(strings.TrimSuffix(list, "\n"), "\n")
}

// Disposable reports whether a domain, in lower case and as A-labels, is one of throw-away addresses.
func (l *Lists) Disposable(domain string) bool { return listed(l.disposable, domain) }

// Free reports whether anybody gets an address at a domain, in lower case and as A-labels.
func (l *Lists) Free(domain string) bool { return listed(l.freemail, domain) }

// Registered returns the part of a domain that somebody registered, or "" where no registry is known for it.
func Registered(domain string) string {
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
func listed(list []string, domain string) bool {
	registrable := Registered(domain)
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
