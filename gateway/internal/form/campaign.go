package form

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
)

// Limits of what is read from a page's URL.
const (
	maxPageURL = 4096 // bytes; a longer one is ignored
	maxParam   = 200  // characters
)

// campaignName returns the campaign parameter that name is, in lower case; "": none.
func campaignName(name string) string {
	name = strings.ToLower(name)
	utm, ok := strings.CutPrefix(name, "utm_")
	if ok && slices.Contains(lead.UTMs(), utm) || slices.Contains(lead.ClickIDs(), name) {
		return name
	}
	return ""
}

// campaign returns the members of metadata that the page's URL says: campaign parameters, the page and the one before
// it, each only where the form has no field for it. A URL's query can hold anything, so only known parameters are taken
// from it.
func (s *Submission) campaign(referer string) (all []member) {
	has := map[string]bool{}
	page := s.Page
	for _, m := range s.metadata.list {
		name := normalizeFieldName(m.name)
		has[name] = true
		if slices.Contains(pageFields, name) && pageURL(page) == nil && len(m.values) == 1 {
			_ = json.Unmarshal(m.values[0], &page) // what is no text is no page
		}
	}
	add := func(name, text string) {
		if plain := normalizeFieldName(name); text != "" && !has[plain] {
			has[plain] = true
			all = append(all, member{name, [][]byte{quote(text)}})
		}
	}
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

// pageFields are what tools call the URL of a form's page, as normalizeFieldName has it.
var pageFields = []string{"pageurl", "pageuri", "sourceurl", "landingpage", "landingurl", "referer"}

// beforeFields are what pages call the URL from which their visitor came, as normalizeFieldName has it.
var beforeFields = []string{"referrer", "httpreferer", "httpreferrer", "initialreferrer", "initialreferer",
	"refererurl", "referrerurl", "firsttouch", "lasttouch", "firstpage", "previouspage", "previousurl"}

// normalizeFieldName returns a name as the enrichment compares it.
func normalizeFieldName(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// pageURL reads the URL of a page; nil: it is not one.
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

// bare returns u without what may be secret: user, query and fragment.
func bare(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// param returns the value of a campaign parameter as it is stored: at most maxParam characters.
func param(name, text string) string {
	if name == "" {
		return ""
	}
	return fault.TruncateTo(strings.TrimSpace(clean(text)), maxParam)
}
