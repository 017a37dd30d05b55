package strictjson

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDigits bounds a number: that many digits, and an exponent between -MaxDigits and MaxDigits.
// Postgres' numeric stops at 131,072 digits before and 16,383 after the point, and writes every one of them out, so
// that "1e131071" would be 128 KiB.
const MaxDigits = 1000

// CheckValue returns what is wrong with raw, which is valid JSON: what Object would refuse in a value of at most depth
// levels, or "".
func CheckValue(raw []byte, depth int) (wrong string) {
	_, wrong = inspect(raw, depth)
	return wrong
}

// inspect looks through raw, which is valid JSON, for what is valid JSON and still refused. It returns where and what,
// or "".
func inspect(raw []byte, maxDepth int) (offset int, wrong string) {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return i, fmt.Sprintf("Must be nested at most %d levels deep", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		case c == '"':
			end, nul := skipString(raw, i)
			if nul {
				return i, `Must not contain the character \u0000`
			}
			i = end
		case c == '-' || c >= '0' && c <= '9':
			end, ok := skipNumber(raw, i)
			if !ok {
				return i, fmt.Sprintf("Must be a number of at most %d digits with an exponent between -%d and %d", MaxDigits,
					MaxDigits, MaxDigits)
			}
			i = end
		}
	}
	return 0, ""
}

// skipString returns the index of the quote that ends the string starting at i, and whether U+0000 is in it.
func skipString(raw []byte, i int) (end int, nul bool) {
	for i++; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			if i++; raw[i] == 'u' && string(raw[i+1:i+5]) == "0000" {
				nul = true
			}
		}
	}
	return i, nul
}

// skipNumber returns the index of the last character of the number starting at i, and whether it is within bounds.
func skipNumber(raw []byte, i int) (end int, ok bool) {
	digits, exponent, inExponent := 0, 0, false
	for ; i < len(raw); i++ {
		switch c := raw[i]; {
		case c >= '0' && c <= '9' && inExponent:
			exponent = min(exponent*10+int(c-'0'), MaxDigits+1)
		case c >= '0' && c <= '9':
			digits++
		case c == 'e' || c == 'E':
			inExponent = true
		case c != '.' && c != '-' && c != '+':
			return i - 1, digits <= MaxDigits && exponent <= MaxDigits
		}
	}
	return i - 1, digits <= MaxDigits && exponent <= MaxDigits
}

// locate returns the pointer to the value, or the member, at offset in raw, and that value or name. It is slow, and
// only for telling mistakes.
func locate(raw []byte, offset int) (pointer string, value []byte) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
	for {
		if dec.PeekKind() == 0 {
			return "", raw
		}
		before := int(dec.InputOffset())
		start := before + bytes.IndexAny(raw[before:], `{}[]"-0123456789tfn`)
		if start == offset {
			value, err := dec.ReadValue()
			if err != nil {
				return "", raw
			}
			return strings.Clone(string(dec.StackPointer())), value
		}
		if _, err := dec.ReadToken(); err != nil {
			return "", raw
		}
	}
}
