package leadfile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"leadgate/shared/fault"
)

// Column is one column of a CSV file and the lead's field it goes to.
type Column struct {
	Name string `json:"name"`
	To   string `json:"to,omitempty"` // one of targets, or "metadata." and a name; "": nowhere
}

// What a column can go to, besides the members of metadata.
const (
	toEmail     = "email"
	toName      = "name"
	toFirstName = "firstName" // is joined with the last
	toLastName  = "lastName"
	toPhone     = "phone"
	toSource    = "source"
	toStatus    = "status"
	toChatbot   = "chatbotId"
	toMetadata  = "metadata" // a JSON object, as an export has it
	memberOf    = toMetadata + "."
)

var targets = []string{toEmail, toName, toFirstName, toLastName, toPhone, toSource, toStatus, toChatbot, toMetadata}

const targetRule = "Must be null, or one of email, name, firstName, lastName, phone, source, status, chatbotId, metadata, or metadata. and a name"

// byName is where a column goes whose name people use for a field, written as plain has it.
var byName = map[string]string{
	"email": toEmail, "mail": toEmail, "emailaddress": toEmail,
	"name": toName, "fullname": toName,
	"firstname": toFirstName, "givenname": toFirstName,
	"lastname": toLastName, "surname": toLastName, "familyname": toLastName,
	"phone": toPhone, "telephone": toPhone, "mobile": toPhone, "phonenumber": toPhone, "mobilephone": toPhone,
	"source": toSource, "status": toStatus, "chatbotid": toChatbot, "metadata": toMetadata,
}

// plain is a column's name without what people write differently.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '_' || r == '-' || r == '.' {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// Mapping is where the columns of a CSV file go that go elsewhere than their names say; nil: nowhere.
type Mapping map[string]*string

// ReadHeader reads the first row of a CSV file: first is how it begins, at least MaxRow bytes or all of it.
// start is where the rows begin. The error is a VALIDATION_ERROR that tells every mistake.
func ReadHeader(first []byte, m Mapping) (o Options, start int64, err error) {
	if err := CheckText(first); err != nil {
		return o, 0, err
	}
	text := bytes.TrimPrefix(first, mark)
	skipped := len(first) - len(text)
	for len(text) > 0 && (text[0] == '\n' || text[0] == '\r') {
		text = text[1:]
		skipped++
	}
	if len(text) == 0 {
		return o, 0, fault.InvalidField("body", nil, "Must be a file with a header that names its columns: it is empty")
	}
	o.Delimiter = string(delimiterOf(text))
	c := csv{delimiter: o.Delimiter[0]}
	n, wrong := c.record(text, len(first) <= MaxRow)
	switch {
	case wrong != nil:
		return o, 0, fault.InvalidField("header", nil, "Must be one row of column names: "+wrong.text)
	case c.long:
		return o, 0, fault.InvalidField("header", nil, fmt.Sprintf("Must be one row of column names, of at most %d bytes",
			MaxRow))
	}
	h := header{mapping: m}
	h.read(c.cells)
	if len(h.wrong) > 0 {
		return o, 0, fault.Invalid(h.wrong)
	}
	o.Columns = h.columns
	return o, int64(skipped + n), nil
}

// delimiterOf is whichever of comma, semicolon and tab a header has most often outside of quotes.
func delimiterOf(text []byte) byte {
	var count [3]int
	const all = ",;\t"
	quoted := false
	for _, b := range text[:min(len(text), MaxRow)] {
		switch {
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '\n' || b == '\r':
			text = nil
		default:
			if i := strings.IndexByte(all, b); i >= 0 {
				count[i]++
			}
		}
		if text == nil {
			break
		}
	}
	most := 0
	for i := range count {
		if count[i] > count[most] {
			most = i
		}
	}
	return all[most]
}

// header is a header being read.
type header struct {
	mapping Mapping
	columns []Column
	wrong   []fault.Field
}

func (h *header) refuse(field, value, message string) {
	var told any
	if value != "" {
		told = fault.Truncate(value)
	}
	h.wrong = append(h.wrong, fault.Field{Field: fault.Truncate(field), Value: told, Message: message})
}

func (h *header) read(names []string) {
	if len(names) > MaxColumns {
		h.refuse("header", "", fmt.Sprintf("Must have at most %d columns", MaxColumns))
		return
	}
	for i, name := range names {
		h.name(i, strings.TrimSpace(name))
	}
	taken := h.mapped()
	h.named(taken)
	if len(h.wrong) == 0 && taken[toEmail] == "" {
		h.refuse(toEmail, "", "Must be a column of the file, or be assigned to one with mapping: the file has "+h.offer())
	}
}

// name takes one column's name.
func (h *header) name(at int, name string) {
	switch {
	case utf8.RuneCountInString(name) > MaxName:
		h.refuse("header", name, fmt.Sprintf("The name of column %d must be at most %d characters", at+1, MaxName))
	case strings.ContainsFunc(name, unicode.IsControl):
		h.refuse("header", "", fmt.Sprintf("The name of column %d must not contain control characters", at+1))
	case name != "" && slices.ContainsFunc(h.columns, func(c Column) bool { return c.Name == name }):
		h.refuse("header", name, "Must be the name of only one column")
	}
	h.columns = append(h.columns, Column{Name: name})
}

// mapped gives columns what the mapping says, and returns which column each target has got.
func (h *header) mapped() (taken map[string]string) {
	taken = map[string]string{}
	names := make([]string, 0, len(h.mapping))
	for name := range h.mapping {
		names = append(names, name)
	}
	slices.Sort(names) // mistakes come in one order
	for _, name := range names {
		to := h.mapping[name]
		i := slices.IndexFunc(h.columns, func(c Column) bool { return c.Name == strings.TrimSpace(name) })
		switch {
		case i < 0 || h.columns[i].Name == "":
			h.refuse("mapping", name, "Must be the name of a column: the file has "+h.offer())
		case to == nil:
		case !slices.Contains(targets, *to) && (!strings.HasPrefix(*to, memberOf) || len(*to) == len(memberOf) ||
			utf8.RuneCountInString(*to) > MaxName+len(memberOf) || strings.ContainsFunc(*to, unicode.IsControl)):
			h.refuse("mapping", *to, targetRule)
		case taken[*to] != "":
			h.refuse("mapping", *to, "Must be assigned to only one column: "+fault.Truncate(taken[*to])+" has it too")
		default:
			h.columns[i].To, taken[*to] = *to, name
		}
	}
	return taken
}

// named gives the columns of which the mapping says nothing what their names say, or a member of metadata.
func (h *header) named(taken map[string]string) {
	for i := range h.columns {
		c := &h.columns[i]
		if _, said := h.mapping[c.Name]; said || c.Name == "" || c.To != "" {
			continue
		}
		to := byName[plain(c.Name)]
		if to == "" || taken[to] != "" || taken[toName] != "" && (to == toFirstName || to == toLastName) || to == toName &&
			taken[toFirstName]+taken[toLastName] != "" {
			to = memberOf + c.Name
		}
		if other := taken[to]; other != "" {
			h.refuse("header", c.Name, "Must not go to "+fault.Truncate(to)+", where "+fault.Truncate(other)+
				" goes: assign it with mapping")
			continue
		}
		c.To, taken[to] = to, c.Name
	}
}

// offer names the columns.
func (h *header) offer() string {
	var names []string
	for _, c := range h.columns {
		if c.Name != "" {
			names = append(names, c.Name)
		}
	}
	return fault.Truncate(strings.Join(names, ", "))
}

// mark is the byte order mark that some programs put before UTF-8.
var mark = []byte("\xEF\xBB\xBF")

// CheckText is a VALIDATION_ERROR where a file that begins so is no UTF-8 text. The last character may be cut off.
func CheckText(first []byte) error {
	rule := "Must be UTF-8 text"
	switch {
	case bytes.HasPrefix(first, []byte{0xFF, 0xFE}) || bytes.HasPrefix(first, []byte{0xFE, 0xFF}):
		return fault.InvalidField("body", nil, rule+": this is UTF-16. Spreadsheets can save as \"CSV UTF-8\"")
	case bytes.HasPrefix(first, []byte("PK\x03\x04")) || bytes.HasPrefix(first, []byte{0xD0, 0xCF, 0x11, 0xE0}):
		return fault.InvalidField("body", nil,
			rule+": this is a workbook or an archive. Spreadsheets can save as \"CSV UTF-8\"")
	case bytes.HasPrefix(first, []byte{0x1F, 0x8B}):
		return fault.InvalidField("body", nil, rule+": this is compressed")
	}
	for at := 0; at < len(first); {
		if first[at] < utf8.RuneSelf {
			if first[at] == 0 {
				return fault.InvalidField("body", nil, fmt.Sprintf("%s: byte %d is NUL", rule, at))
			}
			at++
			continue
		}
		r, size := utf8.DecodeRune(first[at:])
		if r == utf8.RuneError && size == 1 {
			if !utf8.FullRune(first[at:]) {
				return nil
			}
			return fault.InvalidField("body", nil, fmt.Sprintf("%s: byte %d is not. Spreadsheets can save as \"CSV UTF-8\"",
				rule, at))
		}
		at += size
	}
	return nil
}
