package form

import (
	"slices"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// people are what lists of people are called, each of whom is a lead.
var people = append(slices.Clone(persons), "people", "user", "record", "row", "item", "entry", "entries", "data",
	"result", "submission", "batch")

// alongside are those of persons who come in lists of which one is the lead and the others come along.
var alongside = []string{"attendee", "invitee", "guest"}

// maxEmailLevels is how deep in an item its own email is looked for: {"json":{"email":…}}.
const maxEmailLevels = 3

// severalPeople returns what is called so and has more than one person, of whom the email that was picked is one; "": a
// form that says itself where the email is, or a list of one, has none.
func (s *Submission) severalPeople(f tenant.Form) string {
	if s.home == nil || len(f.Fields[lead.FieldEmail]) > 0 {
		return ""
	}
	for at := s.home; at != nil && at.parent != nil; at = at.parent {
		list := at.parent
		words := nameWords(list.called())
		isPeople := list.kind == listKind && endsIn(words, people) && !endsIn(words, alongside)
		if isPeople && answerOf(at) == nil && at.another() {
			return list.path()
		}
	}
	return ""
}

// another reports whether another item beside n has an email of its own that is not n's.
func (n *node) another() bool {
	first := ""
	for _, item := range n.parent.all {
		key := item.ownEmail(maxEmailLevels)
		if first == "" {
			first = key
		}
		if key != first && key != "" {
			return true
		}
	}
	return false
}

// ownEmail returns the key of the first email in n that is not another thing's; "": it has none.
func (n *node) ownEmail(levels int) string {
	for _, m := range n.all {
		if key, ok := lead.EmailKey(m.text); ok && m.kind == textKind && isEmail(m.name) {
			return key
		}
	}
	for _, m := range n.all {
		if m.holds() && levels > 0 && !isOther(m.name) && m.within().kind == objectKind {
			if key := m.within().ownEmail(levels - 1); key != "" {
				return key
			}
		}
	}
	return ""
}

// severalError is the error of a list of several people.
func severalError(list string) error {
	return unreadable(fault.Truncate(list), "Must have one person: a form takes one a request. "+
		"POST /api/v1/leads/batch takes several")
}
