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

// ParseEmail reads an address as people type it. email is it without the space around it; key is the same for every
// spelling of one address: NFC, lower case, and the domain as A-labels (RFC 5890). Plus tags and dots stay: they are
// other addresses.
//
// It takes a dot-atom of UTF-8 letters (RFC 5322, RFC 6531) at a domain of two labels or more. It refuses quoted local
// parts, comments and IP literals, which mail for people does not use, and characters that cannot be seen.
func ParseEmail(typed string) (email, key string, ok bool) {
	email = strings.TrimSpace(typed)
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

// ParseDomain reads the domain of addresses, with the @ before it or without, and returns it as keys have it.
func ParseDomain(typed string) (key string, ok bool) {
	return domainKey(strings.TrimPrefix(strings.TrimSpace(typed), "@"))
}

// localKey checks the part before the @ and returns it as the key has it.
func localKey(local string) (string, bool) {
	if ascii(local) {
		local = strings.ToLower(local)
	} else {
		if !visible(local) {
			return "", false
		}
		// Letters are lowered apart from their marks: else İ as one character and as two would be two addresses.
		local = norm.NFC.String(strings.ToLower(norm.NFD.String(local)))
	}
	if local == "" || len(local) > maxLocal {
		return "", false
	}
	dot := true // what stands before is the start or a dot
	for _, r := range local {
		switch {
		case r == '.' && dot:
			return "", false
		case r == '.':
			dot = true
			continue
		case r < utf8.RuneSelf && !atext[r]:
			return "", false
		case r >= utf8.RuneSelf && !unicode.In(r, unicode.L, unicode.N) && (dot || !unicode.Is(unicode.M, r)):
			return "", false
		}
		dot = false
	}
	return local, !dot
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

// visible reports whether s is UTF-8 without space, control, format (joiners, directions) and other characters that show
// nothing.
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
