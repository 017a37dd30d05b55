package form

import (
	"cmp"
	"slices"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// refusal says what is wrong with the email, to whoever sets the form up and to its visitor: what the form calls the
// input, or which fields came, and never their values.
func (s *Submission) refusal(err *lead.EmailError, f tenant.Form) (fault.Field, mistake) {
	if !err.Missing() {
		input, shown := err.Name, err.Name
		named := func(p pick) bool { return p.to == lead.FieldEmail && p.name == err.Name }
		if i := slices.IndexFunc(s.picks, named); i >= 0 {
			input = s.picks[i].value.sent()
		}
		if len(f.Fields[lead.FieldEmail]) > 0 { // a part of such a name says little
			shown = input
		}
		return fault.Field{Field: fault.Truncate(input), Message: err.Error()}, mistake{shown, emailWrong}
	}
	says, instead := emailMissing, ""
	if err.Phone {
		says, instead = emailOrPhoneMissing, ". A phone with its country code would do as well"
	}
	names := s.names()
	n, mapped := s.emptyEmail(f)
	switch {
	case n != nil:
		name := cmp.Or(n.label, n.sent())
		return fault.Field{Field: fault.Truncate(n.sent()), Message: "Is empty" + instead}, mistake{name, says}
	case len(names) == 0:
		return fault.Field{Field: mapped, Message: "Is missing: nothing was sent" + instead}, mistake{says: says}
	}
	return fault.Field{Field: mapped, Message: "Is missing. The form has " + strings.Join(names, ", ") +
		": call one of them email, or say in the key's form.fields which it is" + instead}, mistake{says: says}
}

// emptyEmail returns the input for the email where that is there and empty; nil: there is none. mapped is what the
// form's mapping calls it, or email.
func (s *Submission) emptyEmail(f tenant.Form) (n *node, mapped string) {
	fields, _ := f.Mapping()
	mapped = lead.FieldEmail
	for i, path := range fields[lead.FieldEmail] {
		if found := s.root.at(path); len(found) > 0 && found[0].empty() {
			return found[0], mapped
		}
		if i == 0 && len(f.Fields[lead.FieldEmail]) > 0 {
			mapped = path
		}
	}
	var walk func(in *node, levels int)
	walk = func(in *node, levels int) {
		for _, c := range in.within().all {
			switch {
			case n != nil || c.gone:
			case c.empty() && isEmail(cmp.Or(c.label, c.name)):
				n = c
			case c.holds() && levels > 0:
				walk(c, levels-1)
			}
		}
	}
	walk(s.root, maxLevels)
	return n, mapped
}

// Limits of the names that are told.
const (
	maxNames    = 20
	maxNameSize = 60 // characters
)

// names returns what the fields that came are called.
func (s *Submission) names() (all []string) {
	var walk func(n *node, levels int)
	walk = func(n *node, levels int) {
		for _, c := range n.within().all {
			if len(all) == maxNames || c.gone {
				continue
			}
			if c.holds() && c.answer == nil && levels > 0 && len(c.within().all) > 0 {
				walk(c, levels-1)
				continue
			}
			name := c.path()
			if c.label != "" {
				name = c.label
			}
			if name != "" {
				all = append(all, fault.TruncateTo(name, maxNameSize))
			}
		}
	}
	walk(s.root, maxLevels)
	return all
}
