package verdict

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Points for random letters.
const (
	noisyName   = 35
	noisyText   = 45
	noisyMail   = 25
	wordlessTel = 30
)

// checkNames is about names that nobody has, and phones that nobody can call.
func checkNames(s *submission) {
	for _, n := range s.names {
		if s.gibberish(n) {
			s.add("gibberish_name", noisyName, "the name looks like random letters")
			break
		}
	}
	for _, f := range s.fields {
		if f.Role == Phone && f.Text != "" && !strings.ContainsFunc(f.Text, isDigit) && utf8.RuneCountInString(f.Text) > 2 {
			s.add("phone", wordlessTel, "the phone has no digits")
			break
		}
	}
}

func isDigit(r rune) bool {
	p := r
	return '0' <= p && p <= '9' || 0x660 <= p && p <= 0x669 || 0x6F0 <= p && p <= 0x6F9 || 0x966 <= p && p <= 0x96F ||
		0xFF10 <= p && p <= 0xFF19
}

// checkMessage is about texts of random letters.
func checkMessage(s *submission) {
	noisy := 0
	for _, f := range s.fields {
		if (f.Role == Other || f.Role == Message) && s.gibberish(f.Text) {
			noisy++
		}
	}
	if noisy > 0 {
		s.add("gibberish_text", noisyText+15*min(noisy-1, 1), "the text looks like random letters")
	}
	local, _, _ := strings.Cut(s.email, "@")
	if s.points >= noisyName && s.gibberish(strings.TrimRight(local, "0123456789")) {
		s.add("gibberish_email", noisyMail, "the email looks like random letters, and so does more")
	}
}

// gibberish reports whether most words of a short text are of random letters. Only Latin words can be.
func (s *submission) gibberish(text string) bool {
	if len(text) > 256 {
		return false
	}
	noisy, fine := 0, 0
	for word := range strings.FieldsSeq(text) {
		switch s.noise(word) {
		case isNoise:
			noisy++
		case isWord:
			fine++
		}
	}
	return noisy > 0 && noisy >= fine
}

// What a word looks like.
const (
	unknownWord = iota // short, or in another alphabet
	isWord
	isNoise
)

// apart are pairs of consonants that stand together in no language that is written in Latin letters, or hardly.
const apart = " bf bg bp bq bw bx cb cd cf cg cj cp cw cx dc dp dx fb fc fd fp fq fv fw fx fz gc gf gp " +
	"gx hc hf hg hp hq hx hz jf jj jq jv jw jx kg kx lx mx pb pd pg pq pv px qc qd qf qg qh qj qk qm qn qp " +
	"qq qt qw qx qy qz tq tx vf vj vm vp vq vw vx wj wq wv ww wx xb xd xg xj xk xn xq xr xv xx xz zf zj zp zq zx "

// apartPairs returns apart by both letters.
func apartPairs() (pairs [26][26]bool) {
	for pair := range strings.FieldsSeq(apart) {
		pairs[pair[0]-'a'][pair[1]-'a'] = true
	}
	return pairs
}

// maxDigits is how many digits a word may have that is judged. With more it is a code: the number of a car, an order or
// a session.
const maxDigits = 1

// noise judges a word by pairs of letters, runs of consonants, and capitals within it.
func (s *submission) noise(word string) int {
	var b [32]byte
	n, rises, vowels, digits := 0, 0, 0, 0
	lower := false
	if strings.ContainsAny(strings.TrimRight(word, ".,:;!?"), "./:@") { // a link, an email, initials
		return unknownWord
	}
	for _, r := range word {
		p, of := s.letters.plain(r)
		switch {
		case of == latin && 'a' <= p && p <= 'z' && n < len(b):
			up := unicode.IsUpper(r)
			if up && lower {
				rises++
			}
			lower = !up
			b[n] = byte(p)
			n++
			if strings.IndexByte("aeiouy", byte(p)) >= 0 {
				vowels++
			}
		case of != noAlphabet && of != latin:
			return unknownWord
		case r == '-' || r == '\'' || r == '.' || r == '’':
			lower = false
		case isDigit(r):
			digits++
		}
	}
	if n < 7 || digits > maxDigits {
		return unknownWord
	}
	odd, run := 2*max(rises-1, 0), 0
	for i, c := range b[:n] {
		if strings.IndexByte("aeiouyw", c) >= 0 {
			run = 0
			continue
		}
		if run++; run > 4 {
			odd += 2
		}
		if i > 0 && s.apart[b[i-1]-'a'][c-'a'] {
			odd += 3
		}
		if c == 'q' && i+1 < n && strings.IndexByte("aeiouv", b[i+1]) < 0 {
			odd++
		}
	}
	if vowels*7 < n {
		odd += 3
	}
	if odd >= 5 && odd*4 >= n {
		return isNoise
	}
	return isWord
}
