package strictjson

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"leadgate/shared/fault"
)

// String reads any string; message is told when it is none. given is false when there is no string to look at.
func (r *Reader) String(message string) (text string, given bool) {
	switch r.raw[0] {
	case '"':
		return unquote(r.raw), true
	case 'n':
	default:
		r.Refuse(message)
	}
	return "", false
}

// Secret reads a string; check says what is wrong with it, or "". Whatever is wrong is told without the value.
func (r *Reader) Secret(check func(text string) string) string {
	if r.null() {
		return ""
	}
	wrong := "Must be a string"
	if r.raw[0] == '"' {
		text := unquote(r.raw)
		if wrong = check(text); wrong == "" {
			return text
		}
	}
	r.refuseSilently(wrong)
	return ""
}

// refuseSilently is Refuse without the value.
func (r *Reader) refuseSilently(message string) {
	r.Add(fault.Field{Field: r.Name(), Pointer: r.pointer(r.Name(), ""), Message: message})
}

// Text reads a string of at most limit characters, none of them a control character.
func (r *Reader) Text(limit int) string {
	text, _ := r.String("Must be a string")
	if wrong := CheckText(text, limit); wrong != "" {
		r.Refuse(wrong)
		return ""
	}
	return text
}

// Texts reads an array of at most items strings, each as Text has it; nil when absent, so that an empty array can be
// told from none.
func (r *Reader) Texts(items, limit int) []string {
	return r.List(items, func(_ int, text string) string { return CheckText(text, limit) })
}

// List reads an array of at most items strings; check says what is wrong with one of them, or "". Wrong ones are left
// out; nil when absent.
func (r *Reader) List(items int, check func(at int, text string) string) []string {
	if r.null() {
		return nil
	}
	if r.raw[0] != '[' {
		r.Refuse("Must be an array of strings")
		return nil
	}
	texts := []string{}
	r.elements(items, "strings", func(at int, place string, raw []byte) {
		if raw[0] != '"' {
			r.refuseAt(place, raw, "Must be a string")
			return
		}
		text := unquote(raw)
		if wrong := check(at, text); wrong != "" {
			r.refuseAt(place, raw, wrong)
			return
		}
		texts = append(texts, text)
	})
	return texts
}

// Integers reads an array of at most items whole numbers, each as Integer has it: wrong ones are 0, so that the others
// keep their places. Nil when absent.
func (r *Reader) Integers(items, low, high int) []int {
	if r.null() {
		return nil
	}
	if r.raw[0] != '[' {
		r.Refuse("Must be an array of whole numbers")
		return nil
	}
	numbers := []int{}
	r.elements(items, "numbers", func(_ int, place string, raw []byte) {
		n, wrong := integer(raw, low, high)
		if wrong != "" {
			r.refuseAt(place, raw, wrong)
		}
		numbers = append(numbers, n)
	})
	return numbers
}

// elements goes over the current member, an array; beyond items elements it refuses the whole.
func (r *Reader) elements(items int, noun string, each func(at int, place string, raw []byte)) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(r.raw))
	dec.ReadToken() // "["; the value was checked when the member was read
	for i := 0; dec.PeekKind() != ']'; i++ {
		if i == items {
			r.Refuse(fmt.Sprintf("Must be at most %d %s", items, noun))
			return
		}
		raw, _ := dec.ReadValue()
		each(i, "/"+strconv.Itoa(i), raw)
	}
}

// Members reads an object of strings, in which null says that a name has none. check says what is wrong with a name and
// its value, or ""; whatever is wrong is told without the value, which may be a secret. Wrong members are left out; nil
// when absent.
func (r *Reader) Members(items int, check func(name, text string) string) map[string]*string {
	if r.null() {
		return nil
	}
	if r.raw[0] != '{' {
		r.refuseSilently("Must be a JSON object of strings")
		return nil
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(r.raw))
	dec.ReadToken() // "{"
	members := map[string]*string{}
	for i := 0; dec.PeekKind() != '}'; i++ {
		if i == items {
			r.refuseSilently(fmt.Sprintf("Must have at most %d members", items))
			return nil
		}
		quoted, _ := dec.ReadValue()
		name := unquote(quoted)
		raw, _ := dec.ReadValue()
		text, wrong := member(name, raw, check)
		if wrong != "" {
			r.Add(fault.Field{Field: r.Name(), Pointer: r.pointer(r.Name(), "/"+escape(name)), Message: wrong})
			continue
		}
		members[name] = text
	}
	return members
}

func member(name string, raw []byte, check func(name, text string) string) (text *string, wrong string) {
	switch raw[0] {
	case 'n':
		return nil, check(name, "")
	case '"':
		value := unquote(raw)
		return &value, check(name, value)
	}
	return nil, "Must be a string, or null"
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	if c := r.raw[0]; c != 't' && c != 'f' && c != 'n' {
		r.Refuse("Must be true or false")
	}
	return r.raw[0] == 't'
}

// Choice reads one of allowed.
func (r *Reader) Choice(allowed []string) string { return r.choose(allowed, nil) }

// ChoiceFold reads one of allowed in any case, with or without space around it, and returns it as allowed has it.
func (r *Reader) ChoiceFold(allowed []string) string {
	return r.choose(allowed, func(a, text string) bool { return strings.EqualFold(a, strings.TrimSpace(text)) })
}

// choose reads one of allowed; same, unless it is nil, reports whether another spelling is meant as one of them.
func (r *Reader) choose(allowed []string, same func(a, text string) bool) string {
	if r.null() {
		return ""
	}
	if r.raw[0] == '"' {
		if i := index(allowed, r.raw); i >= 0 {
			return allowed[i]
		}
		text := unquote(r.raw)
		for _, a := range allowed {
			if same != nil && same(a, text) {
				return a
			}
		}
	}
	r.Refuse("Must be one of: " + strings.Join(allowed, ", "))
	return ""
}

// Integer reads a whole number from low to high, written without fraction and exponent.
func (r *Reader) Integer(low, high int) int {
	if r.null() {
		return 0
	}
	n, wrong := integer(r.raw, low, high)
	if wrong != "" {
		r.Refuse(wrong)
	}
	return n
}

func integer(raw []byte, low, high int) (n int, wrong string) {
	n, err := strconv.Atoi(string(raw))
	if err != nil || n < low || n > high {
		return 0, fmt.Sprintf("Must be a whole number between %d and %d", low, high)
	}
	return n, ""
}

// Object reads any JSON object of at most size bytes and depth levels (itself is the first) and returns it as it came;
// nil when absent. It refuses what Postgres could not hold: U+0000, and numbers beyond MaxDigits.
func (r *Reader) Object(size, depth int) []byte {
	switch {
	case r.null():
		return nil
	case r.raw[0] != '{':
		r.Refuse("Must be a JSON object")
		return nil
	case len(r.raw) > size:
		r.Refuse(fmt.Sprintf("Must be at most %d bytes of JSON", size))
		return nil
	}
	if offset, wrong := inspect(r.raw, depth); wrong != "" {
		place, value := locate(r.raw, offset)
		r.refuseAt(place, value, wrong)
		return nil
	}
	return bytes.Clone(r.raw)
}

// CheckText returns what is wrong with a text of at most limit characters, or "".
func CheckText(text string, limit int) string {
	if len(text) > limit && utf8.RuneCountInString(text) > limit {
		return fmt.Sprintf("Must be at most %d characters", limit)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "Must not contain control characters"
	}
	return ""
}
