package leadfile

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/strictjson"
)

// field is a column as rows are read: where its cells go.
type field struct {
	name   string
	to     string // one of targets, toMember, or "": nowhere
	member []byte // the JSON of metadata before its value: `"utm_source":`
}

const toMember = memberOf

func fieldsOf(columns []Column) []field {
	all := make([]field, len(columns))
	for i, c := range columns {
		all[i] = field{name: c.Name, to: c.To}
		if member, ok := strings.CutPrefix(c.To, memberOf); ok {
			all[i].to = toMember
			all[i].member, _ = jsontext.AppendQuote(nil, member) // it was checked with the header
			all[i].member = append(all[i].member, ':')
		}
	}
	return all
}

// draft makes a lead of the cells of a row. An empty cell is none.
func (r *Reader) draft(cells []string) (d lead.Draft, chatbot id.UUID, wrong *Mistake) {
	chatbot = r.chatbot
	var first, last string
	object := ""
	meta := append(r.scratch[:0], '{')
	for i, cell := range cells {
		cell = strings.TrimSpace(cell)
		if cell == "" {
			continue
		}
		if i >= len(r.fields) {
			return d, chatbot, mistake("row", cell, fmt.Sprintf("Must have at most %d cells, one for each column",
				len(r.fields)))
		}
		f := &r.fields[i]
		if cell[0] == '\'' {
			cell = lead.UnsafeCell(cell)
		}
		problem := ""
		switch f.to {
		case toMember:
			if strings.IndexByte(cell, 0) >= 0 {
				problem = "Must not contain the character U+0000"
			}
			meta = append(meta, f.member...)
			meta, _ = jsontext.AppendQuote(meta, cell) // it is UTF-8
			meta = append(meta, ',')
		case toEmail:
			var ok bool
			if d.Email, d.AddressKey, ok = lead.ParseEmail(cell); !ok {
				problem = lead.EmailRule
			}
		case toName:
			d.Name, problem = cell, strictjson.CheckText(cell, lead.MaxName)
		case toFirstName:
			first, problem = cell, strictjson.CheckText(cell, lead.MaxName)
		case toLastName:
			last, problem = cell, strictjson.CheckText(cell, lead.MaxName)
		case toPhone:
			d.Phone, problem = cell, strictjson.CheckText(cell, lead.MaxPhone)
		case toSource:
			d.Source, problem = cell, strictjson.CheckText(cell, lead.MaxSource)
		case toStatus:
			d.Status, problem = r.status(cell)
		case toChatbot:
			chatbot, problem = parseChatbot(cell)
		case toMetadata:
			object = cell
		default:
			if f.name == "" {
				problem = fmt.Sprintf("Must be in a column that has a name: column %d has none", i+1)
			}
		}
		if problem != "" {
			return d, chatbot, mistake(f.shown(), cell, problem)
		}
	}
	r.scratch = meta
	if d.Email == "" {
		return d, chatbot, mistake(toEmail, "", lead.EmailRule)
	}
	if first != "" || last != "" {
		d.Name = strings.TrimSpace(first + " " + last)
		if problem := strictjson.CheckText(d.Name, lead.MaxName); problem != "" {
			return d, chatbot, mistake(toName, d.Name, problem)
		}
	}
	if d.Metadata, wrong = metadataOf(meta, object); wrong != nil {
		return d, chatbot, wrong
	}
	r.defaults(&d)
	return d, chatbot, nil
}

// shown is what a mistake calls the column: the name it has in the file.
func (f *field) shown() string {
	if f.name == "" {
		return "row"
	}
	return f.name
}

// defaults fills in what a row does not say.
func (r *Reader) defaults(d *lead.Draft) {
	if d.Source == "" {
		d.Source, d.NoSource = lead.DefaultSource, true
		if r.source != "" {
			d.Source = r.source
		}
	}
	if d.Status == "" {
		d.Status, d.NoStatus = r.statuses[0], true
	}
}

// status reads one as spreadsheets have them: with or without capitals.
func (r *Reader) status(cell string) (status, problem string) {
	for _, s := range r.statuses {
		if strings.EqualFold(s, cell) {
			return s, ""
		}
	}
	return "", "Must be one of: " + strings.Join(r.statuses, ", ")
}

func parseChatbot(text string) (chatbot id.UUID, problem string) {
	chatbot, err := id.Chatbot.Parse(text)
	if err != nil {
		problem = id.Chatbot.Rule()
	}
	return chatbot, problem
}

// metadataOf closes the members of metadata, and joins them with a whole object, if there is one.
func metadataOf(members []byte, object string) (metadata []byte, wrong *Mistake) {
	if object == "" {
		if n := len(members) - 1; members[n] == ',' {
			members = members[:n]
		}
		metadata = append(make([]byte, 0, len(members)+1), members...)
		metadata = append(metadata, '}')
		if len(metadata) > lead.MaxMetadata {
			return nil, mistake(toMetadata, "", fmt.Sprintf("Must be at most %d bytes of JSON", lead.MaxMetadata))
		}
		return metadata, nil
	}
	inner, isObject := strings.CutPrefix(object, "{")
	if !isObject {
		return nil, mistake(toMetadata, object, "Must be a JSON object")
	}
	if n := len(members) - 1; members[n] == ',' && strings.HasPrefix(strings.TrimLeft(inner, " \t\r\n"), "}") {
		members = members[:n]
	}
	body := append([]byte(`{"metadata":`), members...)
	body = append(append(body, inner...), '}')
	in := strictjson.NewReader(body, []string{toMetadata})
	for in.Next() {
		metadata = in.Object(lead.MaxMetadata, lead.MaxDepth)
	}
	if err := in.Err(); err != nil {
		m := first(err)
		m.Field = toMetadata
		return nil, m
	}
	return metadata, nil
}
