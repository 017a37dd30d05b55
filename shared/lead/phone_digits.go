package lead

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Lengths of phone numbers that are looked for.
const (
	MinPhoneDigits = 4 // of a search: fewer would find half of all leads
	wholeNumber    = 7 // digits that tell a number apart without its country
)

// PhoneDigits returns the digits of each phone number in text, in any script. A letter, a comma, a semicolon or a plus
// ends a number, so that an extension is none of its digits; the zero of "+44 (0)20" is nobody's.
func PhoneDigits(text string) (numbers []string) {
	var digits []byte
	end := func() {
		if len(digits) >= MinPhoneDigits {
			numbers = append(numbers, string(digits))
		}
		digits = digits[:0]
	}
	for _, r := range strings.ReplaceAll(norm.NFKC.String(text), "(0)", "") {
		switch {
		case unicode.IsDigit(r):
			digits = append(digits, '0'+digit(r))
		case unicode.IsLetter(r), strings.ContainsRune(",;+", r):
			end()
		}
	}
	end()
	return numbers
}

// asciiDigits returns text with its digits, of any script, as those of ASCII.
func asciiDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf && unicode.IsDigit(r) {
			return rune('0' + digit(r))
		}
		return r
	}, text)
}

// digit is the value of a decimal digit: in Unicode those of a script are ten in a row.
func digit(r rune) byte {
	zero := r
	for zero > 0 && r-zero < 9 && unicode.IsDigit(zero-1) {
		zero--
	}
	return byte(r - zero)
}

// phoneFits reports whether phone has the number wanted, given as digits: one ends with the other, where the shorter
// one lacks the country's digits or has a zero in their place.
func phoneFits(phone, wanted string) bool {
	national := strings.TrimLeft(wanted, "0")
	for _, n := range PhoneDigits(phone) {
		own := strings.TrimLeft(n, "0")
		if strings.HasSuffix(n, wanted) || len(national) >= wholeNumber && strings.HasSuffix(n, national) ||
			len(own) >= wholeNumber && strings.HasSuffix(wanted, own) {
			return true
		}
	}
	return false
}

// PhoneEnd is the end of a number that is looked for, which all that fit have too.
func PhoneEnd(digits string) string { return digits[max(0, len(digits)-wholeNumber):] }

// phoneWord is what the index has of a number: its end, backwards, so that a shorter one is the beginning of it.
func phoneWord(digits string) string {
	word := []byte(PhoneEnd(digits))
	slices.Reverse(word)
	return string(word)
}
