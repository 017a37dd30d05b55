// Package strictjson reads a request's JSON object field by field: strict in form, exact about the place of every
// mistake, never a panic.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/fault"
)

// Reader goes over the members of one JSON object in one pass and collects what is wrong with them:
//
//	r := strictjson.NewReader(body, []string{"name", "email"})
//	for r.Next() {
//		switch r.Name() {
//		case "name":
//			name = r.Text(200)
//		...
//	}
//	r.Require("email", "Must be a valid email address")
//	return r.Err()
//
// A member that is null reads as the zero value, as if it were absent.
// It refuses duplicate names at any depth, unknown names, invalid UTF-8, lone surrogates and anything after the object.
type Reader struct {
	dec    *jsontext.Decoder
	source bytes.Buffer
	body   []byte
	known  []string
	hidden []string // of known: not offered to whoever looks for a name
	given  []bool   // by index in known: present and not null

	at     int    // index of the current member in known
	raw    []byte // its value; part of body
	opened bool
	broken bool // the JSON itself cannot be read on
	wrong  []fault.Field
	more   int    // mistakes that are only counted: a body full of them must not take many times its size
	rule   string // about unknown names, once there was one

	list   string // the array's name, where the object is an item of Items
	place  int    // in it
	done   bool   // the item was read to its end
	scalar bool   // the item is no object
}

// NewReader reads body, an object whose members may be those known, and no others.
func NewReader(body []byte, known []string) *Reader {
	r := &Reader{body: body, source: *bytes.NewBuffer(body), known: known, given: make([]bool, len(known)),
		dec: new(jsontext.Decoder)}
	r.dec.Reset(&r.source)
	return r
}

// Next goes to the next known member; false: there is none, or the JSON is broken.
func (r *Reader) Next() bool {
	if !r.open() {
		return false
	}
	for r.dec.PeekKind() == '"' {
		name, err := r.dec.ReadValue()
		if err != nil {
			return r.fail(err)
		}
		at := index(r.known, name)
		var unknown string
		if at < 0 && !r.full() {
			unknown = unquote(name) // before reading on: name does not outlive the next read
		}
		if r.raw, err = r.dec.ReadValue(); err != nil {
			return r.fail(err)
		}
		if at >= 0 {
			r.at, r.given[at] = at, !r.null()
			return true
		}
		r.refuseUnknown(unknown)
	}
	return r.close()
}

// refuseUnknown refuses a member by its name alone: the value of a mistyped name may be a secret.
func (r *Reader) refuseUnknown(name string) {
	if r.full() {
		r.more++
		return
	}
	if r.rule == "" {
		r.rule = r.unknownRule()
	}
	r.Add(fault.Field{Field: fault.Truncate(name), Pointer: r.pointer(name, ""), Message: r.rule})
}

func (r *Reader) unknownRule() string {
	if len(r.known) == 0 {
		return "Unknown field: this request takes none"
	}
	offered := slices.DeleteFunc(slices.Clone(r.known), func(name string) bool { return slices.Contains(r.hidden, name) })
	return "Unknown field: must be one of " + strings.Join(offered, ", ")
}

// full reports whether as many mistakes are kept as are told.
func (r *Reader) full() bool {
	if r.list != "" {
		return len(r.wrong) >= itemFields
	}
	return len(r.wrong) >= fault.MaxFields
}

// Hide leaves names that are known out of what the mistake about an unknown one offers. To be called before the first
// Next.
func (r *Reader) Hide(names ...string) { r.hidden = names }

// Name returns the current member's name.
func (r *Reader) Name() string { return r.known[r.at] }

// Given reports whether the current member is anything but null.
func (r *Reader) Given() bool { return !r.null() }

// Blank reports whether the current member is null, or a text of which nothing can be seen.
func (r *Reader) Blank() bool {
	if r.raw[0] != '"' || len(r.raw) > maxBlank {
		return r.null()
	}
	first := r.raw[1]
	return first == '"' || (first <= ' ' || first == '\\' || first >= 0x7F) && strings.TrimSpace(unquote(r.raw)) == ""
}

// maxBlank is how many bytes of JSON are looked at for a text of which nothing can be seen.
const maxBlank = 64

// Empty reports whether the current member is an array or object with nothing in it.
func (r *Reader) Empty() bool {
	return (r.raw[0] == '[' || r.raw[0] == '{') && len(bytes.TrimSpace(r.raw[1:len(r.raw)-1])) == 0
}

// Refuse adds a mistake at the current member: message says what would be right.
func (r *Reader) Refuse(message string) { r.refuseAt("", r.raw, message) }

// Add adds mistakes that others found.
func (r *Reader) Add(fields ...fault.Field) {
	if r.broken {
		return
	}
	for i := range fields {
		if r.full() {
			r.more += len(fields) - i
			return
		}
		r.wrong = append(r.wrong, fields[i])
	}
}

// Require adds a mistake when name was absent or null. To be called after the last Next.
func (r *Reader) Require(name, message string) {
	if !r.given[slices.Index(r.known, name)] {
		r.RefuseMember(name, nil, message)
	}
}

// RefuseMember adds a mistake at a member that need not be the current one. To be called after the last Next.
func (r *Reader) RefuseMember(name string, value any, message string) {
	r.Add(fault.Field{Field: name, Pointer: r.pointer(name, ""), Value: value, Message: message})
}

// Err returns every mistake as one VALIDATION_ERROR, or nil. Of a body that cannot be read as JSON it tells only that.
func (r *Reader) Err() error {
	if len(r.wrong) == 0 {
		return nil
	}
	return fault.InvalidFew(r.wrong, r.more)
}

// Wrong returns the mistakes that are told, for whoever reads an object inside another, and how many more there are.
func (r *Reader) Wrong() (told []fault.Field, more int) { return slices.Clone(r.wrong), r.more }

// AddMore counts mistakes that are not told.
func (r *Reader) AddMore(n int) {
	if !r.broken {
		r.more += n
	}
}

func (r *Reader) open() bool {
	if r.opened {
		return !r.broken && !r.done
	}
	r.opened = true
	if r.dec.PeekKind() != '{' {
		return r.breaks(fault.Field{Field: "body", Message: "Must be a JSON object"})
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.fail(err)
	}
	return true
}

// close reads the object's end and makes sure that nothing follows.
func (r *Reader) close() bool {
	if _, err := r.dec.ReadToken(); err != nil {
		return r.fail(err)
	}
	if r.list != "" {
		r.done = true
		return false
	}
	if _, err := r.dec.ReadToken(); err != io.EOF {
		return r.breaks(fault.Field{Field: "body", Message: "Must be one JSON object and nothing after it"})
	}
	return false
}

// fail says what makes the JSON unreadable. The pointer leads to the innermost value that holds the place.
func (r *Reader) fail(err error) bool {
	field := fault.Field{Field: "body"}
	var syntax *jsontext.SyntacticError
	offset := int64(0)
	if errors.As(err, &syntax) {
		field.Pointer, offset = fault.Truncate(string(syntax.JSONPointer)), syntax.ByteOffset
		for first := range syntax.JSONPointer.Tokens() {
			field.Field = fault.Truncate(first)
			break
		}
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		field.Message = "Must be given only once"
	case errors.Is(err, io.ErrUnexpectedEOF):
		field.Message = "Must be complete JSON: the body ends too early"
	case !utf8.Valid(r.body):
		field.Message = "Must be valid UTF-8"
	case syntax != nil && syntax.Err != nil:
		field.Message = fault.Truncate(fmt.Sprintf("Must be valid JSON: %v at byte %d", syntax.Err, offset))
	default:
		field.Message = "Must be valid JSON"
	}
	return r.breaks(field)
}

func (r *Reader) breaks(field fault.Field) bool {
	r.broken = true
	r.wrong, r.more = []fault.Field{field}, 0
	return false
}

func (r *Reader) refuseAt(below string, raw []byte, message string) {
	if r.full() {
		r.AddMore(1)
		return
	}
	r.Add(fault.Field{Field: r.Name(), Pointer: r.pointer(r.Name(), below), Value: echo(raw), Message: message})
}

// pointer leads to the member called name, or below it.
func (r *Reader) pointer(name, below string) string {
	at := "/" + escape(name) + below
	if r.list != "" {
		at = "/" + escape(r.list) + "/" + strconv.Itoa(r.place) + at
	}
	return fault.Truncate(at)
}

// index returns where in list the JSON string quoted is, or -1. It allocates nothing as long as there are no escapes.
func index(list []string, quoted []byte) int {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		return slices.Index(list, unquote(quoted))
	}
	return slices.IndexFunc(list, func(s string) bool { return s == string(text) })
}

func (r *Reader) null() bool { return r.raw[0] == 'n' }

// echo is what a mistake tells back of a value: short values as they are, long ones cut, nested ones as text.
func echo(raw []byte) any {
	switch {
	case raw[0] == '"':
		return fault.Truncate(unquote(raw))
	case raw[0] == '{', raw[0] == '[', len(raw) > fault.MaxValue, !common(raw):
		return fault.Truncate(string(raw[:min(len(raw), utf8.UTFMax*fault.MaxValue)]))
	default:
		return json.RawMessage(bytes.Clone(raw))
	}
}

// common reports whether every client can read the number raw; true, false and null are taken as they are.
func common(raw []byte) bool {
	_, err := strconv.ParseFloat(string(raw), 64)
	return err == nil || raw[0] == 't' || raw[0] == 'f' || raw[0] == 'n'
}

// unquote returns the text of a JSON string that was checked before.
func unquote(raw []byte) string {
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	text, _ := jsontext.AppendUnquote(nil, raw)
	return string(text)
}

// escape makes a name a reference token of a JSON pointer (RFC 6901).
func escape(name string) string {
	if !strings.ContainsAny(name, "~/") {
		return name
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
