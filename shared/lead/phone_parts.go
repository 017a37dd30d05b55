package lead

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// What systems call the parts of a phone number that is an object, without separators; of several the first is taken.
var (
	wholeParts = strings.Fields("e164 international internationalnumber internationalformat internationalphonenumber full " +
		"fullnumber fullphonenumber formatted formattednumber value number phonenumber phone")
	codeParts = strings.Fields("countrycode countrycallingcode callingcode dialcode dialingcode diallingcode phonecode " +
		"phonecountrycode internationalcode isdcode isd ccode cc code dial prefix country countryiso iso iso2")
	areaParts   = strings.Fields("area areacode citycode regioncode prefix exchange centraloffice")
	numberParts = strings.Fields("nationalnumber national phone number phonenumber localnumber local subscribernumber subscriber " +
		"linenumber line dial full formatted value text answer rawvalue")
)

// phonePart is a member of a phone number that is an object.
type phonePart struct {
	name   string // without separators
	text   string
	number bool // it is called as a phone is
	used   bool
}

// textOfPhone returns the number that the members of an object are together, such as {"country_code":"+1",
// "number":"5550100"}: the one in international form, or else that of the country's code, the area and the number. It is
// whole where no member was left out that says something else.
func textOfPhone(all []jsonMember, depth int) (text string, whole bool) {
	var parts []phonePart
	whole = true
	for _, m := range all {
		t, all := textOf(FieldPhone, m.raw, depth-1)
		whole = whole && all
		if t = tidy(t); t != "" {
			field, _ := FieldOf(m.name)
			parts = append(parts, phonePart{name: strings.Join(nameParts(m.name), ""), text: t, number: field == FieldPhone})
		}
	}
	text = internationalOf(parts)
	if text == "" {
		text = joinedPhone(parts)
	}
	for i := range parts {
		whole = whole && parts[i].said(text)
	}
	return text, whole
}

// find returns the first part of one of names, in their order, that fits and has no place yet.
func find(parts []phonePart, names []string, fits func(text string) bool) *phonePart {
	for _, name := range names {
		for i := range parts {
			if p := &parts[i]; p.name == name && !p.used && fits(p.text) {
				p.used = true
				return p
			}
		}
	}
	return nil
}

// internationalOf returns the part that is a whole number with its country.
func internationalOf(parts []phonePart) string {
	international := func(text string) bool { return text[0] == '+' && len(text) > len("+1-268") }
	if p := find(parts, wholeParts, international); p != nil {
		return p.text
	}
	for i := range parts {
		if p := &parts[i]; p.number && international(p.text) {
			p.used = true
			return p.text
		}
	}
	return ""
}

// joinedPhone puts a number together of the code of its country, its area and the rest.
func joinedPhone(parts []phonePart) string {
	var code string
	p := find(parts, codeParts, func(text string) bool { return callingCode(text) != "" })
	if p == nil {
		p = find(parts, codeParts, func(text string) bool { return codeOfRegion(text) != "" })
	}
	if p != nil {
		code = callingCode(p.text) + codeOfRegion(p.text) // it is one of them
	}
	var text []string
	for p := find(parts, areaParts, hasDigit); p != nil; p = find(parts, areaParts, hasDigit) {
		text = append(text, p.text)
	}
	number := find(parts, numberParts, hasDigit)
	for i := range parts {
		if p := &parts[i]; number == nil && p.number && !p.used && hasDigit(p.text) {
			number, p.used = p, true
		}
	}
	if number != nil {
		text = append(text, number.text)
	}
	switch whole := strings.Join(text, " "); {
	case whole == "" && p != nil:
		p.used = false
		return ""
	case code == "", strings.HasPrefix(whole, "+"):
		return whole
	default:
		return "+" + code + " " + whole
	}
}

// said reports whether text has what a part says: it is in it, or the same number written otherwise.
func (p *phonePart) said(text string) bool {
	if p.used || p.text == text {
		return true
	}
	known := p.number || slices.Contains(wholeParts, p.name) || slices.Contains(codeParts, p.name) ||
		slices.Contains(areaParts, p.name) || slices.Contains(numberParts, p.name)
	digits := strings.TrimLeft(onlyDigits(p.text), "0")
	return known && digits != "" && !strings.ContainsFunc(p.text, unicode.IsLetter) && strings.Contains(onlyDigits(text), digits)
}

// callingCode returns the digits of the code of a country, such as 1 of "+1", "1" and "001"; "": text is none.
func callingCode(text string) string {
	text = strings.NewReplacer("+", "", "-", "", " ", "", "(", "", ")", "").Replace(text)
	text = strings.TrimPrefix(asciiDigits(text), "00")
	const longest = len("1268") // with an area that is a country of its own
	if text == "" || len(text) > longest || strings.Trim(text, "0123456789") != "" {
		return ""
	}
	if plan, n := planOf([]byte(text)); plan == nil || n < len(text) && (n != 1 || len(text) < longest) {
		return ""
	}
	return text
}

// codeOfRegion returns the digits of the code of a country that is named by ISO 3166-1 alpha-2; "": text is no such.
func codeOfRegion(text string) string {
	region := strings.ToUpper(text)
	if !IsRegion(region) {
		return ""
	}
	return strconv.Itoa(phonenumbers.GetCountryCodeForRegion(region))
}

func hasDigit(text string) bool { return strings.ContainsFunc(text, unicode.IsDigit) }

// onlyDigits returns the digits in text, of any script, as ASCII.
func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, asciiDigits(text))
}
