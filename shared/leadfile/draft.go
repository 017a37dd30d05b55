package leadfile

import (
	"errors"
	"fmt"
	"strings"

	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// field is a column as rows are read: where its cells go.
type field struct {
	name   string
	to     string // one of targets, toMember, or "": nowhere
	rank   int
	member string // of metadata
}

const toMember = memberOf

func fieldsOf(columns []Column) []field {
	all := make([]field, len(columns))
	for i, c := range columns {
		all[i] = field{name: c.Name, to: c.To, rank: c.Rank}
		if member, ok := strings.CutPrefix(c.To, memberOf); ok {
			all[i].to, all[i].member = toMember, member
		}
	}
	return all
}

// cells makes a lead of the cells of a row.
func (r *Reader) cells(row *Row, cells []string) {
	row.Chatbot = r.chatbot
	for i, cell := range cells {
		if cell == "" {
			continue
		}
		if !r.exported && cell[0] == '\'' && len(cell) > 1 && strings.Trim(cell[1:], "0123456789") == "" {
			cell = cell[1:] // a spreadsheet's mark of text
		}
		if r.exported || strings.IndexByte(`'=\#`, cell[0]) >= 0 {
			if cell = cellText(cell, r.csv.delimiter); cell == "" {
				continue
			}
		}
		if i >= len(r.fields) {
			if filled(cell) {
				r.lead.Member(columnName(i), cell)
				r.lead.Warn("row", "Has more cells than the %d columns: what is in column %d is in metadata, and cells before "+
					"it may have shifted", len(r.fields), i+1)
			}
			continue
		}
		f := &r.fields[i]
		switch f.to {
		case toMember:
			r.lead.Member(f.member, cell)
		case toMetadata:
			r.lead.Object(f.name, []byte(cell))
		case toChatbot:
			r.setChatbot(row, f.name, strings.TrimSpace(cell))
		case toLead:
			row.Lead, _ = id.Lead.Parse(cell) // of what is none there is none
		case "":
		default:
			if !r.exported && len(cell) <= maxNothing && standForNothing[cell] {
				r.lead.Member(f.name, cell)
				continue
			}
			if f.to == lead.FieldPhone && !r.exported {
				cell = strings.TrimPrefix(cell, "=") // =+15550100
				if strings.Contains(cell, "E+") {
					r.lead.Warn(f.name, "Looks like a number that a spreadsheet has rounded: format its column as text")
				}
				if digits, ok := strings.CutSuffix(cell, ".0"); ok && strings.Trim(digits, "0123456789") == "" {
					cell = digits // a program took it for a number
				}
			}
			r.lead.Set(f.to, f.name, f.rank, cell)
		}
	}
	if r.csv.literal {
		r.lead.Warn("row", "Has a cell that goes on after its closing quote: its quotes are taken as they are")
	}
	if r.csv.rowlike > 0 {
		r.lead.Warn("row", "Looks like %d rows: a quoted cell has lines with an address and as many cells as the file has "+
			"columns. Is a quote not closed?", r.csv.rowlike+1)
	}
	r.take(row)
}

// standForNothing are what programs write for a value that is missing or went wrong. They are no lead's name or phone,
// and are kept as they came. In our own exports they are what somebody has said.
var standForNothing = map[string]bool{"NULL": true, "null": true, "(null)": true, "<null>": true, "None": true, "none": true,
	"NaN": true, "nan": true, "undefined": true, "N/A": true, "n/a": true, "-": true, "--": true, "#REF!": true,
	"#VALUE!": true, "#NAME?": true, "#DIV/0!": true, "#NUM!": true, "#NULL!": true, "#ERROR!": true}

const maxNothing = 9 // bytes

// cellText is the text of a cell without what keeps a spreadsheet from taking it for a formula or a number: the
// apostrophe of an export, or ="...". What MySQL and spreadsheets write for a missing value is none.
func cellText(cell string, delimiter byte) string {
	if len(cell) > 2 && cell[0] == '=' && cell[1] == '"' && cell[len(cell)-1] == '"' {
		return strings.ReplaceAll(cell[2:len(cell)-1], `""`, `"`)
	}
	if cell == `\N` || cell == "#N/A" {
		return ""
	}
	return lead.UnsafeCell(cell, delimiter)
}

// setChatbot reads whose lead a row is. A lead is kept without a chatbot rather than not at all.
func (r *Reader) setChatbot(row *Row, name, text string) {
	if text == "" {
		return
	}
	chatbot, err := id.Chatbot.Parse(text)
	if err != nil {
		r.lead.Member(name, text)
		r.lead.Warn(name, "%s: it is in metadata", id.Chatbot.Rule())
		return
	}
	row.Chatbot = chatbot
}

// take makes the lead of what was gathered from a row.
func (r *Reader) take(row *Row) {
	var wrong *lead.EmailError
	d, err := r.lead.Draft()
	if errors.As(err, &wrong) {
		name := wrong.Name
		if name == "" {
			name = toEmail
		}
		row.Wrong = mistake(name, wrong.Value, wrong.Error())
	}
	if d.NoSource && r.source != "" {
		d.Source = r.source
	}
	row.Draft, row.Warnings = d, r.lead.Warnings()
	r.lead.Reset()
}

// Odd is a warning about a row as its report has it: of several the first, and how many more there are.
func Odd(row int, all []lead.Warning) Mistake {
	m := Mistake{Row: row, Code: OddCode, Field: clean(all[0].Field), Message: all[0].Message}
	if m.Field == "" {
		m.Field = "row"
	}
	for i, w := range all[1:] {
		if len(m.Message)+len(w.Message) > maxMessage {
			m.Message += fmt.Sprintf("; and %d more", len(all)-1-i)
			break
		}
		m.Message += "; " + w.Field + ": " + w.Message
	}
	return m
}

// maxMessage is how long a report says what was odd about a row, in bytes.
const maxMessage = 500
