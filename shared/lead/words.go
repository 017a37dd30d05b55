package lead

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"

	"leadgate/shared/fault"
	"leadgate/shared/id"
)

// Limits of what is indexed and searched.
const (
	MaxSearch      = 100 // characters of a search text
	MaxSearchWords = 8   // words of it
	MaxMetaFilters = 5   // metadata members a query names

	maxPairs   = 100 // metadata members that are indexed; of a lead with more, every query looks at the row
	maxWord    = 60  // bytes of a word in the index; the row has all of it
	maxCompany = 200 // characters of a company that are searched
)

// Query is what leads are looked for by, besides times; a zero field picks all.
type Query struct {
	Text       []string // of SearchWords; each begins a word of the name, the email or metadata.company
	TextPhone  string   // Text as the digits of a phone; leads that have it fit as well as those with the words
	Statuses   []string // any of them
	Source     string
	ChatbotID  id.UUID
	AddressKey string // the key of an email
	Domain     string // of an email, as ParseDomain has it
	Phone      string // digits of a phone, at least MinPhoneDigits: all of it, or its end
	Metadata   []Pair // top-level members; strings, numbers as they were written, true, false and null
}

// WordsVersion is a lexeme of all words that were made by these rules. Words without it are of before phones and
// domains were among them, and are made anew.
const WordsVersion = "2"

// NeedsVersion reports whether words without WordsVersion cannot tell which leads fit.
func (q *Query) NeedsVersion() bool { return q.Domain != "" || q.Phone != "" || q.TextPhone != "" }

// Pair is one top-level member of metadata.
type Pair struct{ Key, Value string }

// Term is a part of what the index is asked: a lead fits when it has any of these lexemes or, when Prefix is set, one
// that begins with it.
type Term struct {
	Any    []string
	Prefix bool
}

// The kinds of lexemes; one follows the workspace's tag.
const (
	byWord, byStatus, bySource, byChatbot, byAddress, byPair, byMorePairs = "w", "s", "o", "c", "e", "m", "x"
	byDomain, byPhone                                                     = "d", "p"
)

// hashed is 11 characters of what texts hash to.
func hashed(texts ...string) string { return string(appendHash(nil, texts...)) }

func appendHash(dst []byte, texts ...string) []byte {
	var buf [256]byte
	hashed := buf[:0]
	for _, t := range texts {
		hashed = append(append(hashed, t...), 0) // no text has it
	}
	sum := sha256.Sum256(hashed)
	return base64.RawURLEncoding.AppendEncode(dst, sum[:8])
}

func tag(workspace id.UUID) string { return hashed(string(workspace[:])) }

// AppendWords appends the lexemes by which l is found, apart from those of every other workspace, with a space between
// them. They promise too much rather than too little: whoever finds a lead by them looks at it again with Fits.
func AppendWords(dst []byte, l *Lead) []byte {
	t := tag(l.WorkspaceID)
	next := func(kind string) { dst = append(append(append(dst, ' '), t...), kind...) }
	hash := func(kind string, texts ...string) {
		next(kind)
		dst = appendHash(dst, texts...)
	}
	dst = append(dst, WordsVersion...)
	hash(byStatus, l.Status)
	hash(bySource, l.Source)
	hash(byAddress, l.AddressKey())
	if domain := domainOf(l.AddressKey()); domain != "" {
		hash(byDomain, domain)
	}
	if l.ChatbotID != (id.UUID{}) {
		hash(byChatbot, string(l.ChatbotID[:]))
	}
	for _, number := range PhoneDigits(l.Phone) {
		next(byPhone)
		dst = append(dst, phoneWord(number)...)
	}
	n := 0
	company := ""
	pairs(l.Metadata, func(key, value string, text bool) {
		if key == "company" && text {
			company = value
		}
		if n++; n <= maxPairs {
			hash(byPair, key, value)
		}
	})
	if n > maxPairs {
		next(byMorePairs)
	}
	for _, word := range searched(l, company) {
		next(byWord)
		dst = append(dst, short(word)...)
	}
	return dst
}

// Terms is q as the index is asked; none: it does not help.
func (q *Query) Terms(workspace id.UUID) (all []Term) {
	t := tag(workspace)
	one := func(lexeme string) { all = append(all, Term{Any: []string{t + lexeme}}) }
	if len(q.Statuses) > 0 {
		var any []string
		for _, s := range q.Statuses {
			any = append(any, t+byStatus+hashed(s))
		}
		all = append(all, Term{Any: any})
	}
	if q.Source != "" {
		one(bySource + hashed(q.Source))
	}
	if q.ChatbotID != (id.UUID{}) {
		one(byChatbot + hashed(string(q.ChatbotID[:])))
	}
	if q.AddressKey != "" {
		one(byAddress + hashed(q.AddressKey))
	}
	if q.Domain != "" {
		one(byDomain + hashed(q.Domain))
	}
	if q.Phone != "" {
		all = append(all, Term{Any: []string{t + byPhone + phoneWord(q.Phone)}, Prefix: true})
	}
	for _, p := range q.Metadata {
		all = append(all, Term{Any: []string{t + byPair + hashed(p.Key, p.Value), t + byMorePairs}})
	}
	for _, word := range q.Text {
		any := []string{t + byWord + short(word)}
		if q.TextPhone != "" {
			any = append(any, t+byPhone+phoneWord(q.TextPhone))
		}
		all = append(all, Term{Any: any, Prefix: true})
	}
	return all
}

// Fits reports whether l is what q looks for.
func (q *Query) Fits(l *Lead) bool {
	if len(q.Statuses) > 0 && !slices.Contains(q.Statuses, l.Status) || q.Source != "" && q.Source != l.Source ||
		q.ChatbotID != (id.UUID{}) && q.ChatbotID != l.ChatbotID || q.AddressKey != "" && q.AddressKey != l.AddressKey() ||
		q.Domain != "" && q.Domain != domainOf(l.AddressKey()) || q.Phone != "" && !phoneFits(l.Phone, q.Phone) {
		return false
	}
	if len(q.Metadata) == 0 && len(q.Text) == 0 {
		return true
	}
	found := make([]bool, len(q.Metadata))
	company := ""
	pairs(l.Metadata, func(key, value string, text bool) {
		for i, p := range q.Metadata {
			found[i] = found[i] || p.Key == key && p.Value == value
		}
		if key == "company" && text {
			company = value
		}
	})
	for _, yes := range found {
		if !yes {
			return false
		}
	}
	if len(q.Text) == 0 || q.TextPhone != "" && phoneFits(l.Phone, q.TextPhone) {
		return true
	}
	words := searched(l, company)
	for _, wanted := range q.Text {
		if !begins(words, wanted) {
			return false
		}
	}
	return true
}

func begins(words []string, with string) bool {
	for _, w := range words {
		if strings.HasPrefix(w, with) {
			return true
		}
	}
	return false
}

// SearchWords divides a text into words as they are searched: lower case, composed (NFC), of letters, digits and their
// marks.
func SearchWords(text string) []string {
	text = norm.NFC.String(strings.ToLower(norm.NFC.String(text)))
	return strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) &&
			!unicode.IsMark(r)
	})
}

// searched are the words of l that a search looks at.
func searched(l *Lead, company string) []string {
	return slices.Concat(SearchWords(l.Name), SearchWords(l.Email), SearchWords(fault.TruncateTo(company, maxCompany)))
}

// SearchedPhone is the number that a search text is as a whole, as digits; "": it has a letter, or is none.
func SearchedPhone(text string) string {
	numbers := PhoneDigits(text)
	if len(numbers) != 1 || strings.ContainsFunc(text, unicode.IsLetter) {
		return ""
	}
	return numbers[0]
}

// domainOf is the domain of an email's key; "": it is a phone.
func domainOf(addressKey string) string {
	_, domain, _ := strings.Cut(addressKey, "@")
	return domain
}

// short is what the index has of a word.
func short(word string) string {
	if len(word) <= maxWord {
		return word
	}
	end := maxWord
	for !utf8.RuneStart(word[end]) {
		end--
	}
	return word[:end]
}

// pairs calls each with the top-level members of metadata whose values are strings, numbers, true, false or null.
func pairs(metadata []byte, each func(key, value string, text bool)) {
	for key, value := range Members(metadata) {
		switch value.Kind() {
		case '"':
			text, _ := jsontext.AppendUnquote(nil, value) // what is wrong with it is replaced
			each(key, string(text), true)
		case '0', 't', 'f', 'n':
			each(key, string(value), false)
		}
	}
}
