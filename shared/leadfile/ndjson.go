package leadfile

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// line reads one line of NDJSON: a lead as a request has it, and maybe its chatbotId. n is 0 where it is longer than
// MaxRow.
func (r *Reader) line(data []byte, last bool) (n int, row Row, blank bool) {
	line, n := data, len(data)
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		line, n = data[:i], i+1
	}
	if len(line) > MaxRow || len(line) == len(data) && !last {
		return 0, row, false
	}
	if line = bytes.TrimSpace(line); len(line) == 0 || len(line) == 1 && line[0] == endOfFile {
		return n, row, true
	}
	line = bytes.TrimRight(line, ", \t") // it was one of a list
	r.object(&row, line)
	return n, row, false
}

// endOfFile is what DOS puts at the end of a text.
const endOfFile = 0x1A

// object makes a lead of a JSON object: as POST does, and where that cannot, as a row of a CSV file becomes one.
func (r *Reader) object(row *Row, line []byte) {
	row.Chatbot = r.chatbot
	var refused error
	if !bytes.Contains(line, []byte(`"chatbotId"`)) {
		d, err := lead.Parse(line, r.rules)
		if err == nil {
			if d.NoSource && r.source != "" {
				d.Source = r.source
			}
			row.Draft = d
			return
		}
		refused = err
	}
	all, ok := membersOf(line)
	if !ok {
		if refused == nil {
			_, refused = lead.Parse(line, r.rules)
		}
		row.Wrong = first(refused)
		return
	}
	exported := slices.ContainsFunc(all, func(m member) bool {
		if m.name != "id" {
			return false
		}
		var text string
		if json.Unmarshal(m.raw, &text) != nil || !isLeadID(text) {
			return false
		}
		row.Lead, _ = id.Lead.Parse(text)
		return true
	})
	for _, m := range unwrapped(all) {
		if !exported || !slices.Contains(own, m.name) && !slices.Contains(ownLines, m.name) {
			r.member(row, m)
		}
	}
	r.take(row)
}

// ownLines are what an export as NDJSON has besides own.
var ownLines = []string{"workspaceId", "enrichment", "deletedAt"}

// wrappers are members in which other systems keep the fields of a record.
var wrappers = []string{"properties", "attributes", "fields", "data", "_source", "contact", "lead", "person", "customer",
	"node", "record"}

// unwrapped puts the members of a wrapper in its place, where it has the email and the object itself has none.
func unwrapped(all []member) []member {
	isEmail := func(m member) bool {
		field, _ := lead.FieldOf(m.name)
		return field == toEmail
	}
	if slices.ContainsFunc(all, isEmail) {
		return all
	}
	for i, m := range all {
		if !slices.Contains(wrappers, m.name) {
			continue
		}
		if inner, ok := membersOf(m.raw); ok && slices.ContainsFunc(inner, isEmail) {
			return slices.Concat(all[:i], inner, all[i+1:])
		}
	}
	return all
}

// member gives the lead what a member of an object is for it.
func (r *Reader) member(row *Row, m member) {
	if of := lead.MemberOf(m.name); of != "" {
		r.lead.MemberJSON(of, m.raw)
		return
	}
	switch field, rank := lead.FieldOf(m.name); field {
	case "":
		r.lead.MemberJSON(m.name, m.raw)
	case lead.FieldMetadata:
		r.lead.Object(m.name, m.raw)
	case lead.FieldChatbot:
		var text string
		if json.Unmarshal(m.raw, &text) != nil {
			text = string(m.raw)
		}
		r.setChatbot(row, m.name, text)
	default:
		r.lead.SetJSON(field, m.name, rank, m.raw)
	}
}

// member is a member of a JSON object.
type member struct {
	name string
	raw  []byte
}

// membersOf returns the members of a JSON object, a repeated one as often as it comes; ok is false where it is none.
func membersOf(line []byte) (all []member, ok bool) {
	dec := jsontext.NewDecoder(bytes.NewReader(line), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != '{' {
		return nil, false
	}
	dec.ReadToken()
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, false
		}
		m := member{name: name.String()}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		m.raw = bytes.Clone(value) // it does not outlive the next read
		all = append(all, m)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	_, err := dec.ReadToken()
	return all, err == io.EOF
}

// first is the first mistake of a VALIDATION_ERROR.
func first(err error) *Mistake {
	var told struct {
		Field   string
		Value   json.RawMessage
		Message string
	}
	f := fault.From(err)
	text, _ := json.Marshal(f.Details) // plain fields: cannot fail
	if json.Unmarshal(text, &told) != nil || told.Message == "" {
		return mistake("row", "", f.Public)
	}
	value := string(told.Value)
	switch {
	case value == "null":
		value = ""
	case len(value) > 0 && value[0] == '"':
		json.Unmarshal(told.Value, &value) // it was marshalled just now
	}
	return mistake(told.Field, value, told.Message)
}

// LooksLikeLines reports whether a file that begins so is NDJSON, or a list as JSON, of which CheckLines says so: no
// header of a CSV file begins with a brace.
func LooksLikeLines(first []byte) bool {
	text := bytes.TrimSpace(bytes.TrimPrefix(first, mark))
	if rest, list := bytes.CutPrefix(text, []byte("[")); list {
		text = bytes.TrimSpace(rest)
		return len(text) == 0 || text[0] == '{' || text[0] == ']'
	}
	return len(text) > 0 && text[0] == '{'
}
