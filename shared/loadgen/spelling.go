package loadgen

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Spellings is how many ways Spelling knows to write one address.
const Spellings = 40

// Spelling writes the address jürgen.LOCAL@bücher.example in the k-th way (modulo Spellings): five ways of upper and
// lower case, with and without space around it, composed (NFC) or decomposed (NFD), its domain as U-label or A-label.
// LOCAL is lower-case ASCII.
func Spelling(local string, k int) string {
	k %= Spellings
	domain := "bücher.example"
	if k/20%2 == 1 {
		domain = "xn--bcher-kva.example"
	}
	email := "jürgen." + local + "@" + domain
	switch k % 5 {
	case 1:
		email = strings.ToUpper(email)
	case 2:
		email = strings.ToUpper(email[:1]) + email[1:]
	case 3:
		name, host, _ := strings.Cut(email, "@")
		email = name + "@" + strings.ToUpper(host)
	case 4:
		email = alternate(email)
	}
	if k/5%2 == 1 {
		email = norm.NFD.String(email)
	}
	if k/10%2 == 1 {
		email = "  " + email + " "
	}
	return email
}

func alternate(s string) string {
	upper := false
	return strings.Map(func(r rune) rune {
		if upper = !upper; upper {
			return unicode.ToUpper(r)
		}
		return r
	}, s)
}
