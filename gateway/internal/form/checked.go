package form

import (
	"slices"
	"strings"
	"unicode/utf8"

	"leadgate/gateway/internal/form/verdict"
	"leadgate/shared/lead"
)

const (
	maxChecked = 128 // fields for the verdict: more than it looks at
	maxAside   = 60  // bytes of a text in another object than the email that is a service's, and no visitor's
)

// checked returns the fields for the verdict, with what each is of the lead: what a visitor can have written. What a
// service or a page says of the form, or of where the visitor came from, is left out.
func (s *Submission) checked() []verdict.Field {
	roles, home := s.roles()
	var all []verdict.Field
	var walk func(n *node, deep int)
	walk = func(n *node, deep int) {
		for _, c := range n.within().all {
			if len(all) == maxChecked {
				return
			}
			name := c.name
			if c.label != "" {
				name = c.label
			}
			said := c
			if c.answer != nil { // what else an answer has is the service's
				said = c.answer
			}
			role, isLeads := roles[said]
			switch {
			case c.gone || c.hidden || isSecret(name):
			case said.holds() && deep > 0:
				walk(said, deep-1)
			case said.empty() || !utf8.ValidString(name) || c.answer != nil && c.asked != nil && isOfLinks(c.asked.kind):
			case !isLeads && (isOfForm(name) || home != nil && c.parent != home && isAside(c, roles)):
			default:
				all = append(all, verdict.Field{Name: name, Text: said.string(), Role: role})
			}
		}
	}
	walk(s.root, maxLevels)
	return all
}

// isAside reports whether n, which is not beside the email, is what a service says for itself, or tells again. Nobody
// hides mass mail there, as it would have to be short and without a link.
func isAside(n *node, roles map[*node]verdict.Role) bool {
	if n.answer == nil {
		text := n.string()
		return len(text) <= maxAside && !strings.Contains(text, "://") && !strings.Contains(text, "www.")
	}
	for of := range roles {
		if of.string() == n.answer.string() {
			return true
		}
	}
	return false
}

// roles returns what values are of the lead, and the object that has its email; nil: it has none.
func (s *Submission) roles() (roles map[*node]verdict.Role, home *node) {
	roles = map[*node]verdict.Role{}
	for _, p := range s.picks {
		switch p.to {
		case lead.FieldEmail:
			if _, ok := lead.EmailKey(p.text()); !ok {
				continue
			}
			roles[p.value] = verdict.Email
			if home == nil {
				home = p.in
			}
		case lead.FieldName, lead.FieldFirstName, lead.FieldLastName:
			roles[p.value] = verdict.Name
		case lead.FieldPhone:
			roles[p.value] = verdict.Phone
		}
	}
	return roles, home
}

// isOfLinks reports whether answers of this kind are addresses of pages and files: "file_url", "FILE_UPLOAD".
func isOfLinks(kind string) bool {
	return slices.ContainsFunc(nameWords(kind), func(word string) bool {
		return slices.Contains([]string{"url", "uri", "link", "website", "file", "files", "upload", "fileupload", "image",
			"signature"}, word)
	})
}

// isOfForm reports whether a field of this name says something of the form, of its page, or of the page or the campaign
// that brought the visitor.
func isOfForm(name string) bool {
	plain := normalizeFieldName(name)
	if campaignName(name) != "" || strings.HasPrefix(plain, "utm") || slices.Contains(pageFields, plain) ||
		slices.Contains(beforeFields, plain) || strings.HasPrefix(plain, "landing") {
		return true
	}
	words := nameWords(name)
	return slices.Contains([]string{"form name", "form title", "form id", "form type", "module dir"},
		strings.Join(words, " "))
}
