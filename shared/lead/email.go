package lead

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

const (
	maxLocal  = 64  // bytes (RFC 5321 4.5.3.1.1)
	maxLabel  = 63  // bytes (RFC 1035 2.3.4)
	maxDomain = 253 // bytes, without the root's dot
)

// domains maps and checks a domain name as UTS 46 has it for look-up, and refuses what DNS could not hold.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// ParseEmail reads an address as people type it. email is it without the space around it, without what cannot be seen,
// and in ASCII where it has full-width letters, as East Asian keyboards write them: that is what mail is sent to. key
// is the same for every spelling of one address: NFKC, lower case, and the domain as A-labels (RFC 5890). Plus tags and
// dots stay: they are other addresses.
//
// It takes what <input type=email> takes (WHATWG HTML), and UTF-8 letters besides (RFC 6531), at a domain of two labels
// or more that is no IP address. It refuses quoted local parts, comments and literals, which mail for people does not
// use.
func ParseEmail(typed string) (email, key string, ok bool) {
	email = trim(typed)
	if !ascii(email) {
		if email, ok = plain(email); !ok {
			return "", "", false
		}
	}
	if len(email) > MaxEmail {
		return "", "", false
	}
	at := strings.LastIndexByte(email, '@')
	if at < 0 {
		return "", "", false
	}
	local, ok := localKey(email[:at])
	if !ok {
		return "", "", false
	}
	domain, ok := domainKey(email[at+1:])
	if !ok || len(local)+1+len(domain) > MaxEmail {
		return "", "", false
	}
	if local == email[:at] && domain == email[at+1:] {
		return email, email, true
	}
	return email, local + "@" + domain, true
}

// maxTyped is how long a text may be to be looked at: nobody types more invisible characters than others.
const maxTyped = 8 * MaxEmail

// plain takes the width off an address, and what cannot be seen. Joiners are refused between letters that are not
// ASCII: there they can make another word.
func plain(email string) (string, bool) {
	if len(email) > maxTyped {
		return "", false
	}
	joined := false
	email = strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～': // the width of ASCII
			return r - '！' + '!'
		case r == '\u200c' || r == '\u200d':
			joined = true
			return -1
		case r != ' ' && unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
			return -1
		}
		return r
	}, email)
	if at := strings.LastIndexByte(email, '@'); at >= 0 {
		email = email[:at] + fullStops.Replace(email[at:])
	}
	return email, !joined || ascii(email)
}

// fullStops are the dots of domains that are not ASCII (UTS 46).
var fullStops = strings.NewReplacer("。", ".", "｡", ".")

// ParseDomain reads the domain of addresses, with the @ before it or without, and returns it as keys have it.
func ParseDomain(typed string) (key string, ok bool) {
	return domainKey(strings.TrimPrefix(strings.TrimSpace(typed), "@"))
}

// localKey checks the part before the @ and returns it as the key has it.
func localKey(local string) (string, bool) {
	if ascii(local) {
		local = strings.ToLower(local)
		return local, goodLocal(local)
	}
	if !visible(local) {
		return "", false
	}
	// Letters are lowered apart from their marks: else İ as one character and as two would be two addresses.
	key := norm.NFKC.String(strings.ToLower(norm.NFKD.String(local)))
	if !goodLocal(key) { // a ligature of several words, for one
		key = norm.NFC.String(strings.ToLower(norm.NFD.String(local)))
	}
	return key, goodLocal(key)
}

// goodLocal reports whether a local part in lower case has what those of ASCII have (WHATWG HTML), and UTF-8 letters
// with their marks besides.
func goodLocal(local string) bool {
	if local == "" || len(local) > maxLocal {
		return false
	}
	alone := true // a mark would have no letter before it
	for _, r := range local {
		switch {
		case r < utf8.RuneSelf && r != '.' && !atext[r]:
			return false
		case r >= utf8.RuneSelf && !unicode.In(r, unicode.L, unicode.N) && (alone || !unicode.Is(unicode.M, r)):
			return false
		}
		alone = r == '.'
	}
	return true
}

// domainKey checks the part after the @ and returns it as the key has it.
func domainKey(domain string) (string, bool) {
	if key, ok := plainDomain(domain); ok {
		return key, true
	}
	if !visible(domain) {
		return "", false
	}
	mapped, err := domains.ToASCII(domain)
	if err != nil && ascii(domain) { // no label of IDNA, but one of DNS
		mapped, err = strings.ToLower(domain), nil
	}
	if err != nil || strings.ContainsRune(mapped, utf8.RuneError) {
		return "", false
	}
	return mapped, goodLabels(mapped)
}

// plainDomain is the short way for nearly all domains: ASCII, and no label that IDNA has a say in.
func plainDomain(domain string) (string, bool) {
	if !ascii(domain) || strings.Contains(domain, "--") {
		return "", false
	}
	key := strings.ToLower(domain)
	return key, goodLabels(key)
}

// goodLabels reports whether a lower-case ASCII domain is two labels or more of letters, digits and inner hyphens, the
// last not a number.
func goodLabels(domain string) bool {
	if len(domain) > maxDomain {
		return false
	}
	labels, last := 0, ""
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
		labels, last = labels+1, label
	}
	return labels >= 2 && strings.Trim(last, "0123456789") != ""
}

// atext is RFC 5322's, without the letters' upper case, which is gone when it is asked.
var atext = func() (t [utf8.RuneSelf]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~" {
		t[c] = true
	}
	return t
}()

// visible reports whether s is UTF-8 without space, control, format (joiners, directions) and other characters that
// show nothing.
func visible(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size <= 1 {
				return false
			}
		}
		if !unicode.IsGraphic(r) || unicode.In(r, unicode.Zs, unicode.Other_Default_Ignorable_Code_Point,
			unicode.Variation_Selector) {
			return false
		}
	}
	return true
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
