package leadfile

import (
	"bytes"
	"encoding/json"

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
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return n, row, true
	}
	row.Draft, row.Chatbot, row.Wrong = r.object(line)
	return n, row, false
}

// object makes a lead of a JSON object.
func (r *Reader) object(line []byte) (d lead.Draft, chatbot id.UUID, wrong *Mistake) {
	chatbot = r.chatbot
	if bytes.Contains(line, []byte(`"chatbotId"`)) {
		var named json.RawMessage
		if line, named = without(line); named != nil && string(named) != "null" {
			var text string
			if err := json.Unmarshal(named, &text); err != nil {
				return d, chatbot, mistake(toChatbot, string(named), id.Chatbot.Rule())
			}
			u, err := id.Chatbot.Parse(text)
			if err != nil {
				return d, chatbot, mistake(toChatbot, text, id.Chatbot.Rule())
			}
			chatbot = u
		}
	}
	d, err := lead.Parse(line, r.statuses)
	if err != nil {
		return d, chatbot, first(err)
	}
	if d.NoSource && r.source != "" {
		d.Source = r.source
	}
	return d, chatbot, nil
}

// without takes the chatbotId out of an object. One that cannot be read is returned as it is, and so is one with two
// chatbotIds: whoever reads it then says so.
func without(object []byte) (rest []byte, chatbot json.RawMessage) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object))
	if dec.PeekKind() != '{' {
		return object, nil
	}
	dec.ReadToken()
	rest = append(make([]byte, 0, len(object)), '{')
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return object, nil
		}
		name = bytes.Clone(name) // it does not outlive the next read
		value, err := dec.ReadValue()
		if err != nil {
			return object, nil
		}
		if string(name) == `"chatbotId"` {
			chatbot = bytes.Clone(value)
			continue
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		rest = append(append(append(rest, name...), ':'), value...)
	}
	if _, err := dec.ReadToken(); err != nil {
		return object, nil
	}
	return append(append(rest, '}'), object[dec.InputOffset():]...), chatbot
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

// CheckLines is a VALIDATION_ERROR where a file that begins so is no NDJSON.
func CheckLines(first []byte) error {
	if err := CheckText(first); err != nil {
		return err
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(first, mark))
	switch {
	case len(text) == 0:
		return fault.InvalidField("body", nil, "Must be a file with a JSON object on each line: it is empty")
	case text[0] != '{':
		return fault.InvalidField("body", nil,
			"Must be a file with a JSON object on each line: it begins with something else")
	}
	return nil
}
