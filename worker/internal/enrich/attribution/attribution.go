// Package attribution reads from a lead's metadata which campaign brought it: UTM parameters, click ids, landing page
// and referrer.
package attribution

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// Facts is the section "attribution". Every text is cut to 200 characters.
type Facts struct {
	UTM      map[string]string `json:"utm,omitempty"`      // source, medium, campaign, term, content, id
	ClickIDs map[string]string `json:"clickIds,omitempty"` // by parameter: "gclid"
	Landing  string            `json:"landingPage,omitempty"`
	Referrer string            `json:"referrer,omitempty"` // both as host and path; a query may hold anything
}

const maxText = 200 // characters

// What is looked for. The names of pages and referrers are compared as plain has them.
var (
	utms      = lead.UTMs()
	clickIDs  = lead.ClickIDs()
	landings  = []string{"landingpage", "landingurl", "landing", "pageurl", "page", "url"}
	referrers = []string{"referrer", "referer", "referrerurl", "documentreferrer"}
)

// Provider reads metadata.
type Provider struct{}

// New returns a Provider.
func New() *Provider { return &Provider{} }

// Name is "attribution".
func (p *Provider) Name() string { return "attribution" }

// Lookup returns Facts, or nil when the metadata tells nothing. What stands in the metadata itself comes before what
// stands under "utm", then the landing page's query, then the referrer's.
func (p *Provider) Lookup(_ context.Context, l *lead.Lead, _ tenant.Settings) (any, error) {
	top, err := texts(l.Metadata)
	if err != nil {
		return nil, err
	}
	var f Facts
	f.take(top, "utm")
	if nested, err := texts(top["utm"].object); err == nil {
		f.take(nested, "utm")
		f.take(nested, "")
	}
	f.Landing = f.page(top, landings)
	f.Referrer = f.page(top, referrers)
	if f.UTM == nil && f.ClickIDs == nil && f.Landing == "" && f.Referrer == "" {
		return nil, nil
	}
	return f, nil
}

// value is a member of metadata: a text, or an object still to be read.
type value struct {
	text   string
	object json.RawMessage
}

// texts reads the members of a JSON object by name, in lower case and without - and _. Numbers are texts too; lists are
// left out.
func texts(object []byte) (map[string]value, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	all := make(map[string]value, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) { // sorted, so that of two spellings always the same wins
		raw := members[name]
		var v value
		switch c := raw[0]; {
		case c == '{':
			v.object = raw
		case c == '"':
			json.Unmarshal(raw, &v.text) // checked by the reading above
		case c == '-' || c >= '0' && c <= '9':
			v.text = string(raw)
		}
		add(all, name, v)
	}
	return all, nil
}

// add keeps the first value under a name that is not empty.
func add(all map[string]value, name string, v value) {
	if name = plain(name); all[name].text == "" && all[name].object == nil {
		all[name] = v
	}
}

func plain(name string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return r
	}, name))
}

// plainClickIDs is each of clickIDs as plain has it.
var plainClickIDs = func() (all []string) {
	for _, name := range clickIDs {
		all = append(all, plain(name))
	}
	return all
}()

// take adds the UTM parameters whose names start with prefix, and the click ids, that are not known yet.
func (f *Facts) take(members map[string]value, prefix string) {
	for _, name := range utms {
		set(&f.UTM, name, members[prefix+name].text)
	}
	for i, name := range clickIDs {
		set(&f.ClickIDs, name, members[plainClickIDs[i]].text)
	}
}

// page returns host and path of the first of names that holds an absolute URL, and takes what its query tells.
func (f *Facts) page(members map[string]value, names []string) string {
	for _, name := range names {
		u, err := url.Parse(strings.TrimSpace(members[name].text))
		if err != nil || u.Host == "" {
			continue
		}
		query, values := map[string]value{}, u.Query()
		for _, name := range slices.Sorted(maps.Keys(values)) {
			add(query, name, value{text: values.Get(name)})
		}
		f.take(query, "utm")
		return truncate(u.Host + u.EscapedPath())
	}
	return ""
}

func set(to *map[string]string, name, text string) {
	if text = truncate(text); text == "" || (*to)[name] != "" {
		return
	}
	if *to == nil {
		*to = map[string]string{}
	}
	(*to)[name] = text
}

func truncate(text string) string {
	return fault.TruncateTo(strings.ToValidUTF8(strings.ReplaceAll(strings.TrimSpace(text), "\x00", ""), "\uFFFD"),
		maxText)
}
