package lead

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
)

// Phone is a number that a text has, as its country's numbering plan reads it.
type Phone struct {
	E164    string // "+15551234567"
	Ext     string // dialled once the number answers; "": none
	Country string // ISO 3166-1 alpha-2; "": the number is not valid, or of no country
	Valid   bool   // its country hands out such numbers; it need not be in use
}

// ParsePhone reads the first phone number in text, whatever words stand around it. Letters are never dialled, as "+1
// 800 FLOWERS" would want it: of "070 123 45 67 (Axel)" nobody means the name. region is where a number without + is
// from, ISO 3166-1 alpha-2; "": nobody knows, and such a number is none. A number
// in international form costs about 3 us, others about 30.
func ParsePhone(text, region string) (p Phone, ok bool) {
	head, tail := splitPhone(text)
	p, ok, sure := parseInternational(head)
	if !sure {
		p, ok = parseAny(head, region)
	}
	if !ok {
		return Phone{}, false
	}
	if p.Ext == "" && tail != "" {
		if match := extension.FindStringSubmatch(tail); match != nil {
			p.Ext = match[1]
		}
	}
	return p, true
}

func parseAny(text, region string) (p Phone, ok bool) {
	number, err := phonenumbers.Parse(text, region)
	if err != nil || !phonenumbers.IsPossibleNumber(number) {
		return Phone{}, false
	}
	p = Phone{E164: phonenumbers.Format(number, phonenumbers.E164), Ext: number.GetExtension()}
	from := phonenumbers.GetRegionCodeForNumber(number) // once: IsValidNumber would look it up again
	p.Valid = phonenumbers.IsValidNumberForRegion(number, from)
	if p.Valid && len(from) == 2 { // "001" is no country
		p.Country = from
	}
	return p, true
}

// extension is what follows a number and says how to go on, in the languages in which people write it most.
var extension = regexp.MustCompile(
	`^(?i:e?xt(?:ensi[oó]n|n)?|x|int|anexo|ramal|poste|dw|доб|内線|內線|分机|转)[^0-9\pL]{0,3}([0-9]{1,9})\b`)

// splitPhone returns the first number in text, up to the first letter or + after it, and what begins with that. Where
// there is a + before a digit, the number begins with it.
func splitPhone(text string) (number, rest string) {
	text = asciiDigits(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // directions, which phones' address books put around numbers
			return -1
		}
		return r
	}, norm.NFKC.String(text)))
	start := -1
	for i, r := range text {
		plus := r == '+' && unicode.IsDigit(firstRune(text[i+1:]))
		if start < 0 && unicode.IsDigit(r) || plus {
			start = i
		}
		if plus {
			break
		}
	}
	if start < 0 {
		return "", ""
	}
	number = text[start:]
	if end := strings.IndexFunc(number[1:], func(r rune) bool { return r == '+' || unicode.IsLetter(r) }); end >= 0 {
		number, rest = number[:end+1], number[end+1:]
	}
	return strings.TrimRightFunc(number, func(r rune) bool { return !unicode.IsDigit(r) }), rest
}

func firstRune(text string) rune {
	for _, r := range text {
		if r != ' ' && r != '(' {
			return r
		}
	}
	return 0
}

// IsRegion reports whether code is a region whose numbers ParsePhone can read.
func IsRegion(code string) bool { return phonenumbers.GetSupportedRegions()[code] }
