package lead

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"leadgate/shared/fault"
)

// Gatherer makes a Draft of what comes from where nobody reads an error: a form, or a row of a file. The email alone
// decides whether there is a lead, or a phone that can be called, where the rules take that. Everything else is mended
// or, where it breaks a limit or has the wrong type, kept in metadata, with a Warning. What POST would take, it takes
// as POST does.
//
// Give it every value by Set, Member and the like, in any order, and then ask for the Draft. It can be used again after
// Reset, and is for one goroutine.
type Gatherer struct {
	rules    Rules
	reserved int    // bytes of metadata that members leave free
	told     string // the member of metadata that has the warnings; "": none
	slots    [slots]slot
	email    address
	ad       slot // what only a surname beside it makes a first name
	meta     metadata
	warnings []Warning
}

// Warning is what was odd about a value that did not cost the lead. It does not tell the value.
type Warning struct {
	Field   string `json:"field"` // as the source calls it
	Message string `json:"message"`
}

// MaxWarnings is how many warnings of a lead are told; one more says that there are others.
const MaxWarnings = 20

// EmailError says why there is no lead: it is all that a Gatherer refuses.
type EmailError struct {
	Name  string // of the field whose value is no address; "": none came
	Value string
	Phone bool // a phone that can be called would have done as well
}

// Missing reports whether there was no email at all.
func (e *EmailError) Missing() bool { return e.Name == "" }

func (e *EmailError) Error() string {
	switch {
	case e.Missing() && e.Phone:
		return "Must be given: a lead is known by its email, or by a phone with its country code"
	case e.Missing():
		return "Must be given: a lead is known by its email"
	}
	return EmailRule
}

// The fields that a Gatherer keeps until the Draft is asked for.
const (
	slotName = iota
	slotFirst
	slotLast
	slotPhone
	slotSource
	slotStatus
	slots
)

// slot is what was given for a field: the best of what came.
type slot struct {
	name string // as the source calls it
	rank int
	text string // "": nothing
}

// address is the email that was given: the best of what came.
type address struct {
	slot
	shown, key string
	wrong      EmailError // the best of what is no address
}

// NewGatherer makes a Gatherer.
func NewGatherer(rules Rules) *Gatherer { return &Gatherer{rules: rules} }

// Reset forgets everything that was given.
func (g *Gatherer) Reset() {
	g.slots = [slots]slot{}
	g.email, g.ad = address{}, slot{}
	g.meta.reset()
	g.warnings = nil
}

// Reserve keeps bytes of metadata, and names in it, free of members, for Mark.
func (g *Gatherer) Reserve(bytes int, names ...string) {
	g.reserved, g.meta.reserved = min(bytes, MaxMetadata/2), names
}

// TellIn puts the warnings into metadata too, as the member called name, as far as there is room.
func (g *Gatherer) TellIn(name string) { g.told = name }

// Warn tells of something odd about a field.
func (g *Gatherer) Warn(field, format string, args ...any) {
	switch n := len(g.warnings); {
	case n < MaxWarnings:
		g.warnings = append(g.warnings, Warning{fault.Truncate(field), fmt.Sprintf(format, args...)})
	case n == MaxWarnings:
		g.warnings = append(g.warnings, Warning{"", "There were more oddities than are told"})
	}
}

// Warnings returns what was odd. Those about limits come with Draft.
func (g *Gatherer) Warnings() []Warning { return g.warnings }

// Set gives a text for a field, one of FieldEmail to FieldStatus. name is what the source calls the field, and rank
// says which of several names for one field is meant, as FieldOf does: a text of a lower rank, or the first of one
// rank, is the lead's, and the others are members of metadata under their own names. Empty texts are absent.
func (g *Gatherer) Set(field, name string, rank int, text string) {
	text = tidy(text)
	if text == "" {
		return
	}
	given := slot{name, rank, text}
	switch field {
	case FieldEmail:
		g.setEmail(given)
	case FieldName:
		g.put(slotName, given)
	case FieldFirstName:
		g.put(slotFirst, given)
	case FieldLastName:
		g.put(slotLast, given)
	case FieldPhone:
		if given.text = withoutScheme(text); CanBePhone(rank, text) {
			g.put(slotPhone, given)
		} else {
			g.Member(name, text)
		}
	case FieldSource:
		g.put(slotSource, given)
	case FieldStatus:
		g.put(slotStatus, given)
	default:
		g.Member(name, text)
	}
}

// put keeps the better of what a slot has and another.
func (g *Gatherer) put(at int, given slot) {
	has := &g.slots[at]
	if has.text == "" {
		*has = given
		return
	}
	if given.rank < has.rank {
		*has, given = given, *has
	}
	if given.text != has.text {
		g.Member(given.name, given.text)
	}
}

// setEmail keeps the better of what there is and another; an address is better than what is none.
func (g *Gatherer) setEmail(given slot) {
	shown, key, rest, ok := readAddress(given.text)
	if !ok {
		shown, key, ok = addressWithin(given.text)
		rest.others = ok
	}
	if !ok {
		if g.email.wrong.Name == "" {
			g.email.wrong = EmailError{Name: given.name, Value: given.text}
		} else {
			g.Member(given.name, given.text)
		}
		return
	}
	if rest.name != "" {
		g.put(slotName, slot{given.name, maxRank, tidy(rest.name)})
	}
	if rest.others {
		g.Warn(given.name, "Has more than an address: the first is the lead's email")
		g.Member(given.name, given.text)
	}
	next := address{slot: given, shown: shown, key: key, wrong: g.email.wrong}
	if g.email.key == "" {
		g.email = next
		return
	}
	if given.rank < g.email.rank {
		g.email, next = next, g.email
	}
	if next.key != g.email.key && !(rest.others && next.name == given.name) { // else it is a member already
		g.Member(next.name, next.text)
	}
}

// maxRank is that of a name which stands beside an address.
const maxRank = 1000

// Draft returns the lead, with defaults where nothing was given. The error is an *EmailError.
func (g *Gatherer) Draft() (Draft, error) {
	wrong := g.email.wrong
	shown, key, instead := g.email.shown, g.email.key, "another field's is taken"
	if key == "" && g.rules.Phones {
		number, _ := ParsePhone(g.slots[slotPhone].text, g.rules.Region)
		key, instead, wrong.Phone = number.E164, "the lead is known by its phone", true
	}
	if key == "" {
		return Draft{}, &wrong
	}
	if wrong.Name != "" {
		g.Member(wrong.Name, wrong.Value)
		g.Warn(wrong.Name, "Is not an email address: %s", instead)
	}
	d := Draft{Email: shown, AddressKey: key, Name: g.name()}
	d.Phone = g.phone(g.slots[slotPhone].text)
	d.Source = g.cut(FieldSource, g.slots[slotSource].text, MaxSource)
	d.Status = g.status(g.slots[slotStatus].text)
	g.unfold()
	g.tell()
	d.Metadata = g.meta.object()
	d.fill(g.rules.Statuses)
	return d, nil
}

// name is the whole name, or made of its parts. A name beside one part only is the other part, where it does not
// contain it: people who are asked for a Vorname and a Name give their surname as Name.
func (g *Gatherer) name() string {
	whole, first, last := g.slots[slotName], g.slots[slotFirst], g.slots[slotLast]
	if ad := g.ad; ad.text != "" {
		if first.text == "" && last.text != "" && IsFirstNameBeside(ad.name, last.name) {
			first.text = tidy(ad.text)
		} else {
			g.member(ad.name, ad.text)
		}
	}
	text := whole.text
	switch {
	case text == "":
		text = joined(first.text, last.text)
	case whole.rank == maxRank && first.text+last.text != "":
		text = joined(first.text, last.text)
	case first.text != "" && last.text == "" && !contains(text, first.text):
		text = joined(first.text, text)
	case last.text != "" && first.text == "" && !contains(text, last.text):
		text = joined(text, last.text)
	case first.text != "" && last.text != "" && !contains(text, first.text) && !contains(text, last.text):
		g.Member(whole.name, text) // somebody else's
		text = joined(first.text, last.text)
	default:
		for _, part := range []slot{first, last} {
			if part.text != "" {
				g.Member(part.name, part.text)
			}
		}
	}
	return g.cut(FieldName, text, MaxName)
}

func joined(first, last string) string {
	if first == "" || last == "" {
		return first + last
	}
	return first + " " + last
}

func contains(whole, part string) bool {
	return strings.Contains(strings.ToLower(whole), strings.ToLower(part))
}

// cut returns text, or its first limit characters; then all of it is in metadata.
func (g *Gatherer) cut(field, text string, limit int) string {
	if len(text) <= limit || utf8.RuneCountInString(text) <= limit {
		return text
	}
	g.Member(field, text)
	g.Warn(field, "Is longer than %d characters: it is cut, and all of it is in metadata", limit)
	return strings.TrimSpace(fault.TruncateTo(text, limit))
}

// phone returns text or, where it is too long, the number that it begins with; then all of it is in metadata.
func (g *Gatherer) phone(text string) string {
	if len(text) <= MaxPhone || utf8.RuneCountInString(text) <= MaxPhone {
		return text
	}
	g.Member(FieldPhone, text)
	g.Warn(FieldPhone, "Is longer than %d characters: all of it is in metadata", MaxPhone)
	text = asciiDigits(text)
	end, digits := 0, 0
	for end < len(text) && strings.IndexByte("+0123456789 ()-./", text[end]) >= 0 {
		if text[end] >= '0' && text[end] <= '9' {
			digits++
		}
		end++
	}
	number := strings.TrimRight(text[:end], " (-./+")
	if digits < minDigits || len(number) > MaxPhone {
		return ""
	}
	return number
}

// minDigits is how many digits a number has that can be called.
const minDigits = 6

// status returns the status that text means, or "": then text is in metadata.
func (g *Gatherer) status(text string) string {
	if text == "" {
		return ""
	}
	for _, s := range g.rules.Statuses {
		if strings.EqualFold(s, text) {
			return s
		}
	}
	g.Member(FieldStatus, text)
	g.Warn(FieldStatus, "Is none of %s: it is in metadata", fault.Truncate(strings.Join(g.rules.Statuses, ", ")))
	return ""
}
