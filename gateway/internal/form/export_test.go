package form

import (
	"net/http"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// Tongues are the texts of each language, by its tag.
func Tongues() map[string][]string {
	all := map[string][]string{}
	for _, t := range tongues {
		all[t.tag] = t.texts[:]
	}
	return all
}

// TongueOf is the language of the pages of a form with that lang, for a visitor with those headers.
func TongueOf(fixed string, h http.Header) string { return tongueOf(fixed, h).tag }

func lookOf(f tenant.Form) look { return look{tongueOf(f.Lang, nil), f.Brand, f.Lang == ""} }

// WriteThanksFrom sends the page that thanks a visitor of the page from.
func WriteThanksFrom(w http.ResponseWriter, f tenant.Form, from string) {
	lookOf(f).show(w, http.StatusOK, lookOf(f).thanks(f, from))
}

// WriteFailure sends the page that tells of an error.
func WriteFailure(w http.ResponseWriter, f tenant.Form, e *fault.Error, entries string) {
	p := lookOf(f).failure(e, "req_x")
	p.Entries = entries
	lookOf(f).show(w, e.Kind.Status(), p)
}

// Entries are what a page shows of a submission that was refused.
func (s *Submission) Entries() string { return s.entries() }
