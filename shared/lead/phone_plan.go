package lead

import (
	"regexp"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// numberingPlan is what phonenumbers knows about the numbers of one calling code, arranged so that a number in
// international form is read with two or three patterns. The library reads any text for the same answer, with about
// fifteen.
type numberingPlan struct {
	lengths        uint32         // that a national number may have, a bit each
	nationalPrefix *regexp.Regexp // begins a number as it is dialled in its country, and is then left out; nil: none does
	regions        []regionPlan   // the main one first
}

// regionPlan is the part of one region that shares a calling code.
type regionPlan struct {
	code     string         // ISO 3166-1 alpha-2; "001" is no region
	leading  *regexp.Regexp // begins the numbers of the region and of no other; nil: the numbers themselves tell
	general  numberKind
	specific []numberKind // most numbers are of the first
}

// numberKind is a pattern of national numbers of some lengths.
type numberKind struct {
	lengths uint32 // a bit each; 0: any
	pattern *regexp.Regexp
}

func (k numberKind) match(national string) bool {
	return (k.lengths == 0 || k.lengths>>len(national)&1 != 0) && k.pattern.MatchString(national)
}

func (r *regionPlan) valid(national string) bool {
	if !r.general.match(national) {
		return false
	}
	for _, k := range r.specific {
		if k.match(national) {
			return true
		}
	}
	return false
}

// maxNational is how many digits a national number has at most.
const maxNational = 17

// parseInternational reads a number of + and ASCII digits, with blanks, dots, dashes and parentheses between them, as
// ParsePhone does. Where sure is false it leaves the answer to the library: whatever else is in it, or its country's
// prefix, such as the 0 of +44 (0)20.
func parseInternational(text string) (p Phone, ok, sure bool) {
	if len(text) < 2 || text[0] != '+' {
		return Phone{}, false, false
	}
	var buf [3 + maxNational]byte
	digits := buf[:0]
	for _, c := range []byte(text[1:]) {
		switch {
		case c >= '0' && c <= '9' && len(digits) < len(buf):
			digits = append(digits, c)
		case c != ' ' && c != '.' && c != '-' && c != '(' && c != ')':
			return Phone{}, false, false
		}
	}
	plan, codeLen := planOf(digits)
	if plan == nil {
		return Phone{}, false, false
	}
	p.E164 = "+" + string(digits)
	national := p.E164[1+codeLen:]
	if len(national) < 2 || len(national) > maxNational ||
		plan.nationalPrefix != nil && plan.nationalPrefix.MatchString(national) {
		return Phone{}, false, false
	}
	if plan.lengths>>len(national)&1 == 0 {
		return Phone{}, false, true
	}
	for i := range plan.regions {
		r := &plan.regions[i]
		here := false
		switch {
		case r.leading != nil && len(plan.regions) > 1:
			if here = r.leading.MatchString(national); here {
				p.Valid = r.valid(national)
			}
		default:
			p.Valid = r.valid(national)
			here = p.Valid
		}
		if here {
			if p.Valid && len(r.code) == 2 {
				p.Country = r.code
			}
			break
		}
	}
	return p, true, true
}

// plans are numberingPlans by calling code, made when the first number of one comes: all together would take a second.
var plans [1000]struct {
	once sync.Once
	plan *numberingPlan // nil: there is no such code
}

// planOf returns the plan whose calling code digits begin with, and the length of that. No code begins another.
func planOf(digits []byte) (plan *numberingPlan, codeLen int) {
	code := 0
	for n := 1; n <= 3 && n <= len(digits) && digits[0] != '0'; n++ {
		code = 10*code + int(digits[n-1]-'0')
		slot := &plans[code]
		slot.once.Do(func() { slot.plan = newNumberingPlan(code) })
		if slot.plan != nil {
			return slot.plan, n
		}
	}
	return nil, 0
}

var territories = sync.OnceValue(func() map[string]*phonenumbers.PhoneMetadata {
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		panic(err) // the library was built with data that it cannot read
	}
	byID := map[string]*phonenumbers.PhoneMetadata{}
	for _, m := range all.GetMetadata() {
		if m.GetId() != phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY { // those, such as +800, are left to the library
			byID[m.GetId()] = m
		}
	}
	return byID
})

func newNumberingPlan(code int) *numberingPlan {
	plan := &numberingPlan{}
	for i, id := range phonenumbers.GetRegionCodesForCountryCode(code) {
		m := territories()[id]
		if m == nil {
			return nil
		}
		if i == 0 {
			plan.lengths = lengthBits(m.GetGeneralDesc().GetPossibleLength()) |
				lengthBits(m.GetGeneralDesc().GetPossibleLengthLocalOnly())
			plan.nationalPrefix = startPattern(m.GetNationalPrefixForParsing())
		}
		plan.regions = append(plan.regions, newRegionPlan(id, m))
	}
	if len(plan.regions) == 0 {
		return nil
	}
	return plan
}

func newRegionPlan(id string, m *phonenumbers.PhoneMetadata) regionPlan {
	r := regionPlan{code: id, leading: startPattern(m.GetLeadingDigits())}
	r.general = newNumberKind(lengthBits(m.GetGeneralDesc().GetPossibleLength()), m.GetGeneralDesc().GetNationalNumberPattern())
	var lengths []uint32
	patterns := map[uint32][]string{} // of all kinds whose numbers have the same lengths
	for _, d := range []*phonenumbers.PhoneNumberDesc{m.GetMobile(), m.GetFixedLine(), m.GetTollFree(), m.GetPremiumRate(),
		m.GetSharedCost(), m.GetVoip(), m.GetPersonalNumber(), m.GetPager(), m.GetUan(), m.GetVoicemail()} {
		if pattern, bits := d.GetNationalNumberPattern(), lengthBits(d.GetPossibleLength()); pattern != "" {
			if patterns[bits] == nil {
				lengths = append(lengths, bits)
			}
			patterns[bits] = append(patterns[bits], pattern)
		}
	}
	for _, bits := range lengths {
		r.specific = append(r.specific, newNumberKind(bits, strings.Join(patterns[bits], "|")))
	}
	return r
}

func newNumberKind(lengths uint32, pattern string) numberKind {
	return numberKind{lengths, regexp.MustCompile(`^(?:` + pattern + `)$`)}
}

func startPattern(pattern string) *regexp.Regexp {
	if pattern == "" {
		return nil
	}
	return regexp.MustCompile(`^(?:` + pattern + `)`)
}

func lengthBits(lengths []int32) (bits uint32) {
	for _, n := range lengths {
		if n > 0 {
			bits |= 1 << n
		} else {
			bits |= 1 // -1: no number has it, and so no length
		}
	}
	return bits
}
