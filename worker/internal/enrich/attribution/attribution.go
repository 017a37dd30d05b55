// Package attribution reads from a lead's metadata which campaign brought it: UTM parameters, click ids, landing page
// and referrer.
package attribution

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

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
	top := texts(l.Metadata)
	var f Facts
	f.take(top, "utm")
	nested := texts(top["utm"].object)
	f.take(nested, "utm")
	f.take(nested, "")
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
	object jsontext.Value
}

// texts reads the members of a JSON object that can say something, by name, in lower case and without - and _. Numbers
// are texts too; lists are left out.
func texts(object []byte) map[string]value {
	type member struct {
		name string
		value
	}
	var members []member
	for name, raw := range lead.Members(object) {
		if !wanted[plain(name)] {
			continue
		}
		var v value
		switch raw.Kind() {
		case '{':
			v.object = raw.Clone()
		case '"':
			text, _ := jsontext.AppendUnquote(nil, raw) // what is wrong with it is replaced
			v.text = string(text)
		case '0':
			v.text = string(raw)
		}
		members = append(members, member{name, v})
	}
	// sorted, so that of two spellings always the same wins, and of one name that is there twice the last
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	all := make(map[string]value, len(members))
	for i, m := range members {
		if i+1 == len(members) || members[i+1].name != m.name {
			add(all, m.name, m.value)
		}
	}
	return all
}

// add keeps the first value under a name that is not empty.
func add(all map[string]value, name string, v value) {
	if name = plain(name); all[name].text == "" && all[name].object == nil {
		all[name] = v
	}
}

func plain(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return name
	}
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return r
	}, name))
}

// wanted are the names that say something, as plain has them.
var wanted = func() map[string]bool {
	all := map[string]bool{"utm": true}
	for _, name := range slices.Concat(utms, plainClickIDs, landings, referrers) {
		all[name] = true
	}
	for _, name := range utms {
		all["utm"+name] = true
	}
	return all
}()

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
	if text == "" || (*to)[name] != "" {
		return
	}
	if text = truncate(text); text == "" {
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
