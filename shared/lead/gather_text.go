package lead

import (
	"html"
	"strings"
	"unicode"
)

// tidy returns text without what cannot be seen around it, and with one space for line breaks, tabs and other control
// characters in it.
func tidy(text string) string {
	text = trim(text)
	if strings.IndexFunc(text, breaks) < 0 {
		return text
	}
	var b strings.Builder
	space := false
	for _, r := range text {
		switch {
		case breaks(r):
			space = true
			continue
		case space && r != ' ' && b.Len() > 0:
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
	}
	return trim(b.String())
}

func breaks(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

// trim returns text without what cannot be seen around it. U+0000 stays: only a program sends it.
func trim(text string) string {
	if n := len(text); n == 0 || seen(text[0]) && seen(text[n-1]) {
		return text
	}
	return strings.TrimFunc(text, unseen)
}

// seen reports whether b is an ASCII character that can be seen.
func seen(b byte) bool { return b > ' ' && b < 0x7F }

func unseen(r rune) bool {
	return r <= ' ' && r != 0 || r >= 0x7F && (unicode.IsSpace(r) || unicode.IsControl(r) ||
		unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point))
}

// withoutScheme returns a phone number without what links and exports put before it.
func withoutScheme(phone string) string {
	for _, scheme := range []string{"tel:", "p:"} {
		if len(phone) > len(scheme) && strings.EqualFold(phone[:len(scheme)], scheme) {
			return strings.TrimSpace(phone[len(scheme):])
		}
	}
	return phone
}

// beside is what a text has besides the address in it.
type beside struct {
	name   string // whose address it is
	others bool   // it has other addresses, or words
}

// maxAddresses is how much of a text is searched for addresses, in bytes.
const maxAddresses = 2000

// readAddress reads an email as ParseEmail does, and also as links, mail programs, lists and people write one:
// "mailto:ann@example.com", "Ann <ann@example.com>", "ann@example.com; bob@example.com", "ann @ example.com",
// "ann@example.com (at work)", "SMTP:ann@example.com", "'ann@example.com", "ann&#64;example.com". It does not look for an
// address after other words: "ann smith@example.com" is not Smith's.
func readAddress(text string) (email, key string, rest beside, ok bool) {
	text = bareAddress(text)
	if email, key, ok = ParseEmail(text); ok || len(text) > maxAddresses || !strings.ContainsAny(text, "@＠") {
		return email, key, rest, ok
	}
	open := strings.LastIndexByte(text, '<')
	if open >= 0 && strings.HasSuffix(text, ">") && !strings.ContainsAny(text[:open], "@<") {
		if email, key, ok = ParseEmail(withoutPrefix(text[open+1 : len(text)-1])); ok {
			rest.name = strings.Trim(trim(text[:open]), `"'`)
			return email, key, rest, true
		}
	}
	found := 0
	for part := range strings.FieldsFuncSeq(aroundAt.Replace(text), betweenAddresses) {
		e, k, is := ParseEmail(strings.Trim(withoutPrefix(part), "<>()[]\"'`.“”„‘’«»"))
		switch {
		case !is && (found == 0 || strings.Contains(part, "@")):
			return "", "", rest, false
		case found == 0:
			email, key = e, k
		default:
			rest.others = rest.others || k != key
		}
		found++
	}
	return email, key, rest, found > 0
}

// addressWithin reads the one address that stands by itself in a text which ends with a bracket: "Ann Lee
// (ann@example.com)", and links as formulas and Markdown have them.
func addressWithin(text string) (email, key string, ok bool) {
	if len(text) > maxAddresses || !strings.HasSuffix(text, ")") && !strings.HasSuffix(text, "]") {
		return "", "", false
	}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(`()[]<>"`, r) }) {
		e, k, is := ParseEmail(withoutPrefix(trim(part)))
		switch {
		case is && key != "" && k != key:
			return "", "", false
		case is:
			email, key = e, k
		}
	}
	return email, key, key != ""
}

// EmailKey returns the key of the email that a text is, as a Gatherer reads it, and whether it is one.
func EmailKey(text string) (key string, ok bool) {
	_, key, _, ok = readAddress(tidy(text))
	return key, ok
}

// aroundAt takes away the spaces that keyboards put around an @.
var aroundAt = strings.NewReplacer(" @ ", "@", " @", "@", "@ ", "@")

func betweenAddresses(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }

// bareAddress returns a text without what spreadsheets, web pages and directories put around an address: the mark of a
// text, quotes of code, entities of HTML, and a prefix.
func bareAddress(text string) string {
	if strings.Contains(text, "&") && strings.Contains(text, ";") {
		text = html.UnescapeString(text)
	}
	text = strings.TrimLeft(text, "'`")
	return strings.TrimSpace(withoutPrefix(text))
}

// prefixes are what stands before an address in links, directories and lists.
var prefixes = []string{"mailto:", "smtp:", "email:", "e-mail:", "mail:"}

// withoutPrefix returns an address without what stands before it, and without what follows it in a link.
func withoutPrefix(text string) string {
	for _, prefix := range prefixes {
		if len(text) > len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
			text, _, _ = strings.Cut(text[len(prefix):], "?")
			return text
		}
	}
	return text
}
