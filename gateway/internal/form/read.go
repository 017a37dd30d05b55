package form

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/fault"
)

// Limits of a submission.
const (
	MaxBody   = 64 << 10 // bytes
	maxFields = 200
)

// Media types of a submission.
const (
	urlencodedType = "application/x-www-form-urlencoded"
	multipartType  = "multipart/form-data"
	jsonType       = "application/json"
)

// entry is one field as it came.
type entry struct {
	name string
	text string
	raw  []byte // JSON that is not a string, which text holds too
}

func (e entry) empty() bool { return e.raw == nil && strings.TrimSpace(e.text) == "" }

// read reads the fields of a body, in their order. Errors: UNSUPPORTED_MEDIA_TYPE, VALIDATION_ERROR.
func read(contentType string, body []byte) (all []entry, err error) {
	media, params, err := mime.ParseMediaType(contentType)
	if charset, given := params["charset"]; err != nil || given && !strings.EqualFold(charset, "utf-8") {
		media = ""
	}
	switch media {
	case urlencodedType:
		all, err = readURLEncoded(string(body))
	case multipartType:
		all, err = readMultipart(body, params["boundary"])
	case jsonType:
		all, err = readObject(body)
	default:
		return nil, fault.New(fault.MediaType,
			"Content-Type must be "+urlencodedType+", "+multipartType+" or "+jsonType+", in UTF-8")
	}
	if err != nil {
		return nil, err
	}
	var wrong []fault.Field
	for _, e := range all {
		if !utf8.ValidString(e.name) || !utf8.ValidString(e.text) {
			wrong = append(wrong, fault.Field{Field: shown(e.name), Message: "Must be valid UTF-8"})
		}
	}
	if wrong != nil {
		return nil, fault.Invalid(wrong)
	}
	return all, nil
}

// shown returns the name of a field as an answer can hold it.
func shown(name string) string { return fault.Truncate(strings.ToValidUTF8(name, "\uFFFD")) }

func unreadable(message string) error { return fault.InvalidField("body", nil, message) }

var errTooMany = unreadable("Must have at most 200 fields")

func readURLEncoded(body string) (all []entry, err error) {
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		if len(all) == maxFields {
			return nil, errTooMany
		}
		name, text, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		text, err2 := url.QueryUnescape(text)
		if err1 != nil || err2 != nil {
			return nil, unreadable("Must be URL-encoded")
		}
		all = append(all, entry{name: name, text: text})
	}
	return all, nil
}

func readMultipart(body []byte, boundary string) (all []entry, err error) {
	const broken = "Must be complete multipart/form-data"
	// Without the check of the end, a body that broke off would look complete.
	if boundary == "" || !bytes.Contains(body, []byte("--"+boundary+"--")) {
		return nil, unreadable(broken)
	}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	var files []fault.Field
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, unreadable(broken)
		}
		if n == maxFields {
			return nil, errTooMany
		}
		name := part.FormName()
		if part.FileName() != "" {
			files = append(files, fault.Field{Field: shown(name), Message: "Must not be a file: this form accepts none"})
			continue
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, unreadable(broken)
		}
		all = append(all, entry{name: name, text: string(text)})
	}
	if files != nil {
		return nil, fault.Invalid(files)
	}
	return all, nil
}

// readObject reads a JSON object. Its values are checked when the lead is read.
func readObject(body []byte) (all []entry, err error) {
	const broken = "Must be one complete JSON object in UTF-8, with no name given twice"
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if dec.PeekKind() != '{' {
		return nil, unreadable("Must be a JSON object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, unreadable(broken)
	}
	for dec.PeekKind() == '"' {
		if len(all) == maxFields {
			return nil, errTooMany
		}
		name, err := dec.ReadToken()
		if err != nil {
			return nil, unreadable(broken)
		}
		e := entry{name: name.String()} // before reading on: the token does not outlive the next read
		raw, err := dec.ReadValue()
		if err != nil {
			return nil, unreadable(broken)
		}
		switch raw[0] {
		case 'n':
			continue
		case '"':
			text, err := jsontext.AppendUnquote(nil, raw)
			if err != nil {
				return nil, unreadable(broken)
			}
			e.text = string(text)
		default:
			e.raw, e.text = bytes.Clone(raw), string(raw)
		}
		all = append(all, e)
	}
	if _, err := dec.ReadToken(); err != nil { // "}"
		return nil, unreadable(broken)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, unreadable("Must be one JSON object and nothing after it")
	}
	return all, nil
}
