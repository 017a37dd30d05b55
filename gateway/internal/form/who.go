package form

import (
	"slices"
	"strings"
	"unicode"
)

// isOpaque reports whether a name says nothing: "3", "field_12", "input_2".
func isOpaque(name string) bool {
	for _, word := range nameWords(name) {
		if !slices.Contains([]string{"field", "fields", "input", "question", "answer", "entry", "q", "a", "item", "text",
			"value"}, word) {
			return false
		}
	}
	return true
}

// isOther reports whether what is called so is another thing than the person who sent the form.
func isOther(name string) bool {
	words := nameWords(name)
	n := len(words)
	return n > 0 && (slices.Contains(otherThings, words[n-1]) || slices.Contains(otherFirst, words[0])) ||
		n == 1 && slices.Contains(otherAlone, words[0])
}

// saysOther reports whether a value's name has a word for somebody else: admin_email, "Our agent's address".
func saysOther(name string) bool {
	words := nameWords(name)
	return isOther(name) || slices.ContainsFunc(words, func(w string) bool {
		return w != "address" && slices.Contains(otherThings, w)
	})
}

// otherThings end the names of other things, otherFirst begin them, and those of otherAlone are the whole name.
var (
	otherThings = strings.Fields(`form page campaign company organization organisation product event owner agent assignee
		author creator admin staff settings config workspace tenant team store shop site website referrer spouse partner variant
		device browser geo location context recipient receiver manager address account agency host organizer organiser rep
		representative salesperson salesrep dealer dealership broker realtor seller vendor supplier business property hotel venue
		clinic employee employer operator advisor adviser consultant landlord friend referral referee notification notifications
		support sales provider merchant brand listing`)
	otherFirst = strings.Fields("created assigned modified updated referred co emergency")
	otherAlone = strings.Fields("meta source list items to cc bcc")
)

// isAnswers reports whether what is called so is what was filled in, also inside of what describes the form.
func isAnswers(name string) bool {
	return slices.Contains([]string{"fields", "answers", "responses", "submission", "values"}, strings.ToLower(name))
}

// nameWords divides a name into words, also where only a capital begins one.
func nameWords(name string) []string {
	var b strings.Builder
	before := ' '
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
		before = r
	}
	return strings.FieldsFunc(b.String(), func(r rune) bool { return !unicode.IsLetter(r) })
}

// persons end the names of the person who sent the form.
var persons = strings.Fields(`contact profile lead customer person client visitor subscriber respondent attendee invitee guest
	applicant requester sender buyer prospect submitter`)

// isPerson reports whether what is called so is the person who sent the form, or can be.
func isPerson(name string) bool {
	words := nameWords(name)
	return endsIn(words, persons) || endsIn(words, []string{"user", "member", "name", "names", "merges"})
}

func endsIn(words, list []string) bool {
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	return slices.Contains(list, last) || slices.Contains(list, strings.TrimSuffix(last, "s"))
}

// personal reports whether n is the submission itself, or in what is called the person who sent it.
func (n *node) personal() bool {
	for at := n; at != nil; at = at.parent {
		if at.parent == nil && at == n || endsIn(nameWords(at.name), persons) {
			return true
		}
	}
	return false
}

// isForm reports whether n is called a form: some frameworks put a form's fields into what is called after it.
func (n *node) isForm() bool { return endsIn(nameWords(n.called()), []string{"form"}) }

// inAny reports whether n is one of nodes, or in one of them.
func (n *node) inAny(nodes map[*node]bool) bool {
	for at := n; at != nil; at = at.parent {
		if nodes[at] {
			return true
		}
	}
	return false
}

// ownName returns what a field is called in the names that frameworks make of where it is: ctl00$Main$txtName of
// ASP.NET, form:name of JSF, data__name. "": a name has no such place in it, or one that is another thing's.
func ownName(name string) string {
	at, own := strings.LastIndexAny(name, "$:"), 1
	if at < 0 {
		at, own = strings.LastIndex(name, "__"), 2
	}
	if at <= 0 || strings.Contains(name, " ") {
		return ""
	}
	place := nameWords(name[:at])
	if own == 1 && (endsIn(place, []string{"form"}) || !isOther(name[:at])) || isAnswers(name[:at]) ||
		endsIn(place, persons) || endsIn(place, []string{"data", "form", "payload", "field", "input"}) {
		return name[at+own:]
	}
	return ""
}
