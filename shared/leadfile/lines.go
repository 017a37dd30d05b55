package leadfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
)

// CheckLines is a VALIDATION_ERROR where a file that begins so is no NDJSON: JSON that people have in its place would
// cost every row, one by one.
func CheckLines(first []byte) error {
	text := bytes.TrimSpace(bytes.TrimPrefix(first, mark))
	switch {
	case len(text) == 0:
		return noLines("it is empty")
	case text[0] == '[':
		return noLines("it is one JSON array. jq -c '.[]' makes lines of it")
	case text[0] != '{':
		return noLines("it begins with something else")
	}
	if list, n := listOfLeads(text); list != "" {
		if next, _ := listOfLeads(bytes.TrimSpace(text[n:])); next != "" || n == len(text) { // and no other row has a lead
			return noLines(fmt.Sprintf("it is an object with the leads in %q. jq -c '.%s[]' makes lines of it", list, list))
		}
	}
	if isSpread(text) {
		return noLines("its objects have several lines. jq -c . puts each on one")
	}
	return nil
}

func noLines(why string) error {
	return fault.InvalidField("body", nil, "Must be a file with a JSON object on each line: "+why)
}

// isSpread reports whether the first JSON object of a text has line breaks, as for people to read. One that is broken
// costs its row and not the file.
func isSpread(text []byte) bool {
	value, err := newLineDecoder(text).ReadValue()
	if errors.Is(err, io.ErrUnexpectedEOF) { // it is longer than what was read
		value, err = text, nil
	}
	return err == nil && bytes.IndexByte(value, '\n') >= 0
}

// listOfLeads returns the name of the member of the first object of a text that has the leads, as answers of APIs and
// requests of batches do, and where the object ends, or the text; "": it is a lead itself, or there is none.
func listOfLeads(text []byte) (list string, end int) {
	dec := newLineDecoder(text)
	dec.ReadToken() // "{", or it has no members
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return "", 0
		}
		called := name.String()
		if identifies(called) {
			return "", 0
		}
		if list == "" && dec.PeekKind() == '[' && isWord(called) {
			dec.ReadToken() // "["
			if hasLead(dec) {
				list = called
			}
			for err == nil && dec.PeekKind() != ']' {
				err = dec.SkipValue()
			}
			if err == nil {
				_, err = dec.ReadToken() // "]"
			}
		} else {
			err = dec.SkipValue()
		}
		if err != nil {
			return list, len(text)
		}
	}
	if _, err := dec.ReadToken(); err != nil { // "}"
		return list, len(text)
	}
	return list, int(dec.InputOffset())
}

// hasLead reports whether the next item of a list is an object by which a lead can be known.
func hasLead(dec *jsontext.Decoder) bool {
	if dec.PeekKind() != '{' {
		return false
	}
	item, err := dec.ReadValue()
	if err != nil {
		return false
	}
	all, _ := membersOf(item)
	return slices.ContainsFunc(unwrapped(all), func(m member) bool { return identifies(m.name) })
}

// isWord reports whether a name can stand in a filter of jq as it is.
func isWord(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// identifies reports whether a lead can be known by a member of this name.
func identifies(name string) bool {
	field, _ := lead.FieldOf(name)
	return field == toEmail || field == lead.FieldPhone
}

func newLineDecoder(text []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}
