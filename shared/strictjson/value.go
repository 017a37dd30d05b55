package strictjson

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
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

// Text reads a string of at most limit characters, none of them a control character.
func (r *Reader) Text(limit int) string {
	text, _ := r.String("Must be a string")
	if wrong := checkText(text, limit); wrong != "" {
		r.Refuse(wrong)
		return ""
	}
	return text
}

// Texts reads an array of at most items strings, each as Text has it; nil when absent, so that an empty array can be told from none.
func (r *Reader) Texts(items, limit int) []string {
	if r.null() {
		return nil
	}
	if r.raw[0] != '[' {
		r.Refuse("Must be an array of strings")
		return nil
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(r.raw))
	dec.ReadToken() // "["; the value was checked when the member was read
	texts := []string{}
	for i := 0; dec.PeekKind() != ']'; i++ {
		if i == items {
			r.Refuse(fmt.Sprintf("Must be at most %d strings", items))
			return nil
		}
		raw, _ := dec.ReadValue()
		place := "/" + strconv.Itoa(i)
		if raw[0] != '"' {
			r.refuseAt(place, raw, "Must be a string")
			continue
		}
		text := unquote(raw)
		if wrong := checkText(text, limit); wrong != "" {
			r.refuseAt(place, raw, wrong)
			continue
		}
		texts = append(texts, text)
	}
	return texts
}

// Choice reads one of allowed.
func (r *Reader) Choice(allowed []string) string {
	if r.null() {
		return ""
	}
	if r.raw[0] == '"' {
		if i := index(allowed, r.raw); i >= 0 {
			return allowed[i]
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
	n, err := strconv.Atoi(string(r.raw))
	if err != nil || n < low || n > high {
		r.Refuse(fmt.Sprintf("Must be a whole number between %d and %d", low, high))
		return 0
	}
	return n
}

// Object reads any JSON object of at most size bytes and depth levels (itself is the first) and returns it as it came; nil when absent.
// It refuses what Postgres could not hold: U+0000, and numbers beyond MaxDigits.
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

// checkText says what is wrong with text, or "".
func checkText(text string, limit int) string {
	if len(text) > limit && utf8.RuneCountInString(text) > limit {
		return fmt.Sprintf("Must be at most %d characters", limit)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "Must not contain control characters"
	}
	return ""
}
