package form

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"leadgate/shared/lead"
)

// Limits of what a page's URL tells.
const (
	maxPageURL = 4096 // octets; of a longer one nothing is taken
	maxParam   = 200  // characters
)

// campaignName returns the parameter of campaigns that name is, in lower case; "": it is none.
func campaignName(name string) string {
	name = strings.ToLower(name)
	if utm, ok := strings.CutPrefix(name, "utm_"); ok && slices.Contains(lead.UTMs(), utm) || slices.Contains(lead.ClickIDs(), name) {
		return name
	}
	return ""
}

// campaign returns the metadata with what the page's URL tells: campaign parameters, the page and the one before it, each only where the
// form has no field for it. A URL's query can hold anything, so that only what is known is taken of it.
func (s *Submission) campaign(referer string) []member {
	all := slices.Clone(s.metadata)
	add := func(name, text string) {
		same := func(m member) bool { return plain(m.name) == plain(name) }
		if text != "" && !slices.ContainsFunc(all, same) {
			all = append(all, member{name, [][]byte{quote(text)}})
		}
	}
	page := s.Page
	if pageURL(page) == nil {
		page = referer
	}
	if u := pageURL(page); u != nil {
		query := u.Query() // what cannot be read is left out
		for _, name := range slices.Sorted(maps.Keys(query)) {
			add(campaignName(name), param(campaignName(name), query.Get(name)))
		}
		add("page_url", bare(u))
	}
	if u := pageURL(s.referrer); u != nil {
		add("referrer", bare(u))
	}
	return all
}

// plain is a name as the enrichment compares it.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// pageURL reads the URL of a page; nil: it is none.
func pageURL(raw string) *url.URL {
	if len(raw) > maxPageURL || !utf8.ValidString(raw) {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	return u
}

// bare is u without what may be secret: user, query and fragment.
func bare(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// param is a parameter's value as it is kept: one line of at most maxParam characters.
func param(name, text string) string {
	if name == "" {
		return ""
	}
	text = strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", ""))
	n := 0
	for i := range text {
		if n == maxParam {
			return text[:i]
		}
		n++
	}
	return text
}
