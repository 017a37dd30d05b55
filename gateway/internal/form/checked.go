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
			case said.empty() || !utf8.ValidString(name):
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

// isOfForm reports whether a field of this name says something of the form, or of the campaign that brought the
// visitor.
func isOfForm(name string) bool {
	if campaignName(name) != "" {
		return true
	}
	words := nameWords(name)
	return slices.Contains([]string{"form name", "form title", "form id", "form type", "module dir"},
		strings.Join(words, " "))
}
