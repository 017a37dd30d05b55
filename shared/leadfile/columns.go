package leadfile

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// Column is one column of a CSV file and the lead's field it goes to.
type Column struct {
	Name string `json:"name"`
	To   string `json:"to,omitempty"`   // one of targets, or "metadata." and a name; "": nowhere
	Rank int    `json:"rank,omitempty"` // of several columns for a field the lowest has it; the others go to metadata
}

// What a column can go to, besides the members of metadata: the fields of a lead.
const (
	toEmail    = lead.FieldEmail
	toChatbot  = lead.FieldChatbot
	toMetadata = lead.FieldMetadata // a JSON object, as an export has it
	toLead     = "id"               // of an export
	memberOf   = toMetadata + "."
)

var targets = []string{toEmail, lead.FieldName, lead.FieldFirstName, lead.FieldLastName, lead.FieldPhone,
	lead.FieldSource, lead.FieldStatus, toChatbot, toMetadata}

const targetRule = "Must be null, or one of email, name, firstName, lastName, phone, source, status, chatbotId, metadata, or metadata. and a name"

// saidRank is the rank of a column that the mapping sends to a field: before whatever names say.
const saidRank = -10

// plain is a column's name without what people write differently, and what cannot be seen.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || !visible(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// Mapping is where the columns of a CSV file go that go elsewhere than their names say; nil: nowhere. Their names
// match whatever their case, spaces and hyphens. Of several for one field a row takes the first in the file that has
// something.
type Mapping map[string]*string

// own are the columns of an export that an import has no use for.
var own = []string{"id", "createdAt", "updatedAt"}

// header is a header being read.
type header struct {
	mapping Mapping
	columns []Column
	counts  map[string]int    // of names
	typed   []string          // names of the columns as the file has them
	said    []bool            // the mapping tells where the column goes
	taken   map[string]string // which column a target has got
	wrong   []fault.Field
}

func (h *header) refuse(field, value, message string) {
	var told any
	if value != "" {
		told = fault.Truncate(value)
	}
	h.wrong = append(h.wrong, fault.Field{Field: fault.Truncate(field), Value: told, Message: message})
}

// name gives columns their names, and sends them to the fields of a lead.
func (l *layout) name(said *Said) error {
	names := l.names
	for len(names) > 0 && !filled(names[len(names)-1]) && len(names) > l.email+1 {
		names = names[:len(names)-1]
	}
	if len(names) > MaxColumns {
		return fault.InvalidField("header", nil, fmt.Sprintf("Must have at most %d columns", MaxColumns))
	}
	if len(names) == 0 {
		return fault.InvalidField("header", nil, fmt.Sprintf("Must be one row of column names: the file begins with a row "+
			"that is longer than %d bytes, or with a quote that is not closed", MaxRow))
	}
	h := header{mapping: said.Mapping, counts: map[string]int{}, typed: names, said: make([]bool, len(names)),
		taken: map[string]string{}}
	for i, name := range names {
		h.columns = append(h.columns, Column{Name: h.unique(tidy(name, i))})
	}
	h.mapped()
	if h.taken[toEmail] == "" && l.known < namesEmail && l.email >= 0 && !h.said[l.email] {
		h.columns[l.email].To, h.taken[toEmail] = toEmail, h.columns[l.email].Name
	}
	l.Exported = isExport(l.names, l.rows)
	h.named(l.Exported)
	if h.taken[toEmail] == "" && l.known == saidBySends && l.email >= 0 && !h.said[l.email] {
		h.columns[l.email].To, h.taken[toEmail] = toEmail, h.columns[l.email].Name
	}
	if l.emailElsewhere(h.columns) && !h.said[l.email] {
		h.columns[l.email].To, h.columns[l.email].Rank = toEmail, elsewhereRank
		h.taken[toEmail] = h.columns[l.email].Name
	}
	if len(h.wrong) == 0 && h.taken[toEmail] == "" && (!said.Phones || h.taken[lead.FieldPhone] == "") {
		message := fmt.Sprintf("Must be a column of the file, or be assigned to one with mapping: "+
			"row %d was read as the header, and has %s", max(1, l.Header), h.offer())
		if h.taken[lead.FieldPhone] != "" {
			message += ". Leads with a phone alone are taken where the workspace's identify is email_or_phone"
		}
		if len(said.OtherSheets) > 0 {
			message += ". The workbook has other sheets, which sheet= names: " +
				fault.Truncate(strings.Join(said.OtherSheets, ", "))
		}
		h.refuse(toEmail, "", message)
	}
	if len(h.wrong) > 0 {
		return fault.Invalid(h.wrong)
	}
	l.Columns = h.columns
	return nil
}

// elsewhereRank is the rank of a column that only its addresses make one of emails.
const elsewhereRank = 30

// emailElsewhere reports whether columns that are called so have no emails, and another has those of different people:
// a survey asks for them again, or "Email" says whether one may be written to.
func (l *layout) emailElsewhere(columns []Column) bool {
	if l.email < 0 || l.email >= len(columns) || !strings.HasPrefix(columns[l.email].To, memberOf) {
		return false
	}
	different, n := map[string]bool{}, 0
	for _, r := range l.rows {
		for at, is := range r.address {
			switch {
			case is && at < len(columns) && columns[at].To == toEmail:
				return false
			case is && at == l.email:
				different[r.cells[at]] = true
				n++
			}
		}
	}
	return n > 1 && len(different) == n
}

// isExport reports whether a file is an export, maybe with columns that its owner took away: the ids in it are those of
// leads, or it has no rows and all columns.
func isExport(names []string, rows []startRow) bool {
	at := slices.Index(names, toLead)
	if at < 0 {
		return false
	}
	for _, r := range rows {
		if at < len(r.cells) && filled(r.cells[at]) {
			return isLeadID(r.cells[at])
		}
	}
	return !slices.ContainsFunc(own, func(name string) bool { return !slices.Contains(names, name) }) &&
		slices.Contains(names, toMetadata)
}

func isLeadID(text string) bool {
	_, err := id.Lead.Parse(text)
	return err == nil
}

// tidy is a column's name on one line, without what cannot be seen, and not too long.
func tidy(name string, at int) string {
	name = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(name, ""), func(r rune) bool { return !visible(r) }), " ")
	if name == "" {
		return columnName(at)
	}
	if utf8.RuneCountInString(name) > MaxName {
		name = string([]rune(name)[:MaxName-1]) + "…"
	}
	return name
}

// unique is a name that no column has yet: the second "Notes" is "Notes 2".
func (h *header) unique(name string) string {
	wanted := name
	for h.counts[name] > 0 {
		h.counts[wanted]++
		name = fmt.Sprintf("%s %d", wanted, h.counts[wanted])
	}
	h.counts[name]++
	return name
}

// mapped gives columns what the mapping says. What it drops is dropped wherever the name stands.
func (h *header) mapped() {
	names := make([]string, 0, len(h.mapping))
	for name := range h.mapping {
		names = append(names, name)
	}
	slices.Sort(names) // mistakes come in one order
	for _, name := range names {
		to := target(h.mapping[name])
		at := h.find(name)
		switch {
		case len(at) == 0:
			h.refuse("mapping", name, "Must be the name of a column: the file has "+h.offer())
			continue
		case to == nil:
		case !slices.Contains(targets, *to) && (!strings.HasPrefix(*to, memberOf) || len(*to) == len(memberOf) ||
			utf8.RuneCountInString(*to) > MaxName+len(memberOf) || strings.ContainsFunc(*to, unicode.IsControl)):
			h.refuse("mapping", *to, targetRule)
		case h.taken[*to] != "" && !several(*to):
			h.refuse("mapping", *to, "Must be assigned to only one column: "+fault.Truncate(h.taken[*to])+" has it too")
		default:
			h.columns[at[0]].To, h.columns[at[0]].Rank, h.taken[*to] = *to, saidRank, name
			at = at[:1]
		}
		for _, i := range at {
			h.said[i] = true
		}
	}
}

// several reports whether more than one column can go to a field: what is not taken has a place in metadata then.
func several(to string) bool {
	return to != toChatbot && to != toMetadata && !strings.HasPrefix(to, memberOf)
}

// target is a field as the mapping names it, in any case.
func target(to *string) *string {
	if to == nil {
		return nil
	}
	for _, t := range targets {
		if strings.EqualFold(t, *to) {
			return &t
		}
	}
	return to
}

// find returns the columns of a name: those that have it to the letter, or else those that have it in another case.
func (h *header) find(name string) (at []int) {
	for i, c := range h.columns {
		if c.Name == name || strings.TrimSpace(h.typed[i]) == strings.TrimSpace(name) {
			at = append(at, i)
		}
	}
	if len(at) > 0 || plain(name) == "" {
		return at
	}
	for i, c := range h.columns {
		if plain(c.Name) == plain(name) || plain(h.typed[i]) == plain(name) {
			at = append(at, i)
		}
	}
	return at
}

// named gives the columns of which the mapping says nothing what their names say, or a member of metadata.
func (h *header) named(exported bool) {
	surname := slices.IndexFunc(h.typed, func(name string) bool { return lead.IsFirstNameBeside(lead.TurkishName, name) })
	for i := range h.columns {
		c := &h.columns[i]
		switch {
		case h.said[i] || c.To != "":
			continue
		case exported && c.Name == toLead:
			c.To = toLead
			continue
		case exported && slices.Contains(own, c.Name):
			continue
		}
		if member := lead.MemberOf(c.Name); member != "" {
			c.To = h.member(member)
			h.taken[c.To] = c.Name
			continue
		}
		c.To, c.Rank = lead.FieldOf(h.typed[i])
		if c.To == "" && surname >= 0 && lead.IsFirstNameBeside(h.typed[i], h.typed[surname]) {
			c.To = lead.FieldFirstName
		}
		if c.To == "" || h.taken[c.To] != "" && (c.To == toChatbot || c.To == toMetadata) {
			c.To, c.Rank = h.member(c.Name), 0
		}
		h.taken[c.To] = c.Name
	}
}

// member is a member of metadata that no other column goes to.
func (h *header) member(name string) string {
	to := memberOf + name
	for n := 2; h.taken[to] != ""; n++ {
		to = fmt.Sprintf("%s%s %d", memberOf, name, n)
	}
	return to
}

// offer names the columns.
func (h *header) offer() string {
	var names []string
	for i, c := range h.columns {
		if filled(h.typed[i]) {
			names = append(names, c.Name)
		}
	}
	return fault.Truncate(strings.Join(names, ", "))
}

// mark is the byte order mark that some programs put before UTF-8.
var mark = []byte("\xEF\xBB\xBF")
