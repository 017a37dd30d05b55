package verdict

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// alphabet is a script that is told from others.
type alphabet int

const (
	noAlphabet alphabet = iota
	latin
	cyrillic
	greek
	han // with kana and hangul: what is written without vowels or spaces
	otherAlphabet
	alphabets
)

// letters knows the plain form of letters: lower case, without accents, and without the styles that Unicode has for
// mathematics.
type letters struct {
	low    [0x600]rune   // Latin, Greek, Cyrillic
	viet   [0x100]rune   // from U+1E00
	styled [0x400]rune   // from U+1D400
	twin   map[rune]byte // letters of other alphabets that look like a Latin one
}

func newLetters() letters {
	l := letters{twin: map[rune]byte{}}
	for r := range rune(len(l.low)) {
		l.low[r] = plainLetter(r)
	}
	for i := range l.viet {
		l.viet[i] = plainLetter(0x1E00 + rune(i))
	}
	for i := range l.styled {
		l.styled[i] = plainLetter(0x1D400 + rune(i))
	}
	twins := []rune("аaеeоoрpсcхxуyкkмmтtвbнhіiјjѕsԁdεeοoαaρpνvτtυuκkιiηnωw")
	for i := 0; i < len(twins); i += 2 {
		l.twin[twins[i]] = byte(twins[i+1])
	}
	return l
}

// plainLetter returns the letter that r is without case, accents and style.
func plainLetter(r rune) rune {
	switch r {
	case 'ł', 'Ł':
		return 'l'
	case 'đ', 'Đ', 'ð', 'Ð':
		return 'd'
	case 'ø', 'Ø':
		return 'o'
	case 'ı', 'İ':
		return 'i'
	case 'й', 'Й': // a letter of its own
		return 'й'
	}
	first, _ := utf8.DecodeRuneInString(norm.NFKD.String(string(r)))
	return unicode.ToLower(first)
}

// plain returns the letter that r is without case, accents and style, and its alphabet. Digits and others are of none.
func (l *letters) plain(r rune) (rune, alphabet) {
	switch {
	case r < 0x80:
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A', latin
		}
		if 'a' <= r && r <= 'z' {
			return r, latin
		}
		return r, noAlphabet
	case r < rune(len(l.low)):
		r = l.low[r]
	case 0x1E00 <= r && r < 0x1F00:
		r = l.viet[r-0x1E00]
	case 0x1D400 <= r && r < 0x1D800:
		r = l.styled[r-0x1D400]
	case 0xFF21 <= r && r <= 0xFF3A:
		return r - 0xFF21 + 'a', latin
	case 0xFF41 <= r && r <= 0xFF5A:
		return r - 0xFF41 + 'a', latin
	}
	switch {
	case 'a' <= r && r <= 'z', 0xDF <= r && r < 0x250 && r != 0xF7:
		return r, latin
	case 0x370 <= r && r < 0x400 && r != 0x37E && r != 0x387:
		return r, greek
	case 0x400 <= r && r < 0x530:
		return r, cyrillic
	case 0x1100 <= r && r < 0x1200, 0x3040 <= r && r < 0x3100, 0x3400 <= r && r < 0xA000, 0xAC00 <= r && r < 0xD7B0,
		0xF900 <= r && r < 0xFB00, 0x20000 <= r && r < 0x32000:
		return r, han
	case r >= 0x530 && (unicode.IsLetter(r) || unicode.IsMark(r)):
		return r, otherAlphabet
	}
	return r, noAlphabet
}

// text is what the submission's free text says: words in plain letters, with one space around each.
type text struct {
	words   []byte
	count   int            // of words
	letters int            // of any alphabet
	of      [alphabets]int // letters of each alphabet
	mixed   int            // words in which letters of another alphabet look like Latin ones
	styled  int            // letters in a style of mathematics
	marks   [marks]int     // signs between words
}

// mark is a sign between words that says something of them.
type mark int

const (
	question mark = iota
	exclamation
	money
	percent
	marks
)

// markOf returns what a sign is.
func markOf(r rune) (m mark, ok bool) {
	switch r {
	case '?', '¿', '？', '؟', '\u037e':
		return question, true
	case '!', '！':
		return exclamation, true
	case '$', '€', '£', '¥', '₽', '₺', '元', '円':
		return money, true
	case '%', '％':
		return percent, true
	}
	return 0, false
}

// add reads more text.
func (t *text) add(l *letters, s string) {
	if len(t.words) == 0 {
		t.words = append(make([]byte, 0, len(s)+2), ' ')
	}
	w := word{from: len(t.words)}
	for i := 0; i < len(s); {
		if b := s[i]; b < utf8.RuneSelf {
			i++
			switch {
			case 'a' <= b && b <= 'z':
				t.words = append(t.words, b)
				w.of[latin]++
			case 'A' <= b && b <= 'Z':
				t.words = append(t.words, b+'a'-'A')
				w.of[latin]++
			case '0' <= b && b <= '9' || (b == '@' || b == '$') && len(t.words) > w.from:
				t.words = append(t.words, b)
				w.digits = true
			case b != '\'': // don't is one word
				if m, ok := markOf(rune(b)); ok {
					t.marks[m]++
				}
				t.end(l, &w)
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		p, of := l.plain(r)
		switch {
		case of != noAlphabet:
			w.of[of]++
			if 0x1D400 <= r && r < 0x1D800 {
				t.styled++
			}
			t.words = utf8.AppendRune(t.words, p)
		case '0' <= p && p <= '9':
			t.words = append(t.words, byte(p))
			w.digits = true
		case r == '’' || r == 0xAD || 0x300 <= r && r < 0x370 || 0x200B <= r && r <= 0x200D || r == 0x2060 || r == 0xFEFF:
			// within a word: what is not seen parts none
		default:
			if m, ok := markOf(r); ok {
				t.marks[m]++
			}
			t.end(l, &w)
		}
	}
	t.end(l, &w)
}

// word is the word that is being read.
type word struct {
	from   int            // in text.words
	of     [alphabets]int // letters of each alphabet
	digits bool
}

// end ends a word that has letters or digits, and makes it the next.
func (t *text) end(l *letters, w *word) {
	if len(t.words) == w.from {
		return
	}
	if w.of[latin] > 0 && (w.of[cyrillic] > 0 || w.of[greek] > 0) {
		t.words = l.untwin(t.words, w.from)
		t.mixed++
	}
	if w.digits {
		undigit(t.words[w.from:])
	}
	for a, n := range w.of {
		t.of[a] += n
		t.letters += n
	}
	t.words = append(t.words, ' ')
	t.count++
	*w = word{from: len(t.words)}
}

// undigit replaces digits between letters by the letters that they are written for.
func undigit(word []byte) {
	const digits, meant = "01345@$", "oieasas"
	letter := func(i int) bool { return 'a' <= word[i] && word[i] <= 'z' }
	for i := 1; i+1 < len(word); i++ {
		if at := strings.IndexByte(digits, word[i]); at >= 0 && letter(i-1) && letter(i+1) {
			word[i] = meant[at]
		}
	}
}

// untwin replaces letters of a word, which begins at from, by the Latin ones that they look like.
func (l *letters) untwin(words []byte, from int) []byte {
	word := string(words[from:])
	words = words[:from]
	for _, r := range word {
		if b, ok := l.twin[r]; ok {
			r = rune(b)
		}
		words = utf8.AppendRune(words, r)
	}
	return words
}
