package decode

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// guess returns the charset of a text that begins so and has no byte order mark; "" is none that can be told.
//
//   - Every second byte is NUL: UTF-16. There is the sequence that begins Japanese: ISO-2022-JP.
//   - UTF-8, unless more of its characters beyond ASCII are wrong than right, and wrong ones are in one line of a
//     thousand and in two at least, or in more than a fifth of the lines: fewer are damage, and cost their rows.
//   - Whichever other charset its characters beyond ASCII look most like, if they look much like it: letters of a word
//     in windows-1252 stand among ASCII letters, those of windows-1251 among each other, and of the pairs of bytes in
//     Shift_JIS, EUC-JP, GB18030, EUC-KR and Big5 nearly all are those of common characters. What looks like none of them may be
//     the text of a Mac, or of DOS: one of them has a capital where the other has a small letter.
//   - Charsets that have their letters in the same places are told apart by refine.
func guess(sample []byte) string {
	if name := guess16(sample); name != "" {
		return name
	}
	if bytes.Contains(sample, []byte("\x1B$B")) {
		return "iso-2022-jp"
	}
	c := countUTF8(sample)
	if c.right >= c.wrong || c.wrongLines < 2 && 5*c.wrongLines <= c.lines ||
		1000*c.wrongLines < c.lines {
		return utf8Name
	}
	best, most := "", 0.5
	for _, of := range charsets {
		l := of.look(sample)
		if total := l.good + l.bad + l.rare; total > 0 {
			if score := (float64(l.good) + float64(l.rare)/4 - float64(l.bad)) / float64(total); score > most {
				best, most = of.name, score
			}
		}
	}
	return refine(best, sample)
}

// guess16 returns the UTF-16 in which every second byte of Latin text is NUL.
func guess16(sample []byte) string {
	var nul [2]int
	sample = sample[:min(len(sample), 64<<10)]
	for i, b := range sample {
		if b == 0 {
			nul[i%2]++
		}
	}
	few := len(sample) / 2 / 10
	switch {
	case nul[1] > few && nul[1] > 20*nul[0]:
		return "utf-16le"
	case nul[0] > few && nul[0] > 20*nul[1]:
		return "utf-16be"
	}
	return ""
}

// count is how much of a text is UTF-8.
type count struct {
	right, wrong      int // characters beyond ASCII
	lines, wrongLines int
}

func countUTF8(sample []byte) (c count) {
	for line := range bytes.Lines(sample) {
		c.lines++
		before := c.wrong
		for len(line) > 0 {
			if line[0] < utf8.RuneSelf {
				line = line[1:]
				continue
			}
			r, size := utf8.DecodeRune(line)
			switch {
			case r != utf8.RuneError || size > 1:
				c.right++
			case utf8.FullRune(line): // else it is cut off
				c.wrong++
			}
			line = line[size:]
		}
		if c.wrong > before {
			c.wrongLines++
		}
	}
	return c
}

// looks are how many bytes beyond ASCII are parts of characters that are usual in a charset, rare, or none.
type looks struct{ good, rare, bad int }

var charsets = []struct {
	name string
	look func(sample []byte) looks
}{
	{"windows-1252", western.look},
	{"windows-1251", cyrillic},
	{"shift_jis", pairs{shiftJIS, func(b byte) bool { return b >= 0xA1 && b <= 0xDF }}.look},
	{"euc-kr", korean},
	{"euc-jp", japanese},
	{"gb18030", pairs{gb18030, nil}.look},
	{"big5", pairs{big5, nil}.look},
	{"cp850", func(sample []byte) looks {
		if onlyCR(sample) {
			return looks{}
		}
		return dos.look(sample)
	}},
	{"macintosh", func(sample []byte) looks {
		l := macRoman.look(sample)
		if 5*l.rare > l.good && !onlyCR(sample) { // of Central Europe
			return looks{}
		}
		return l
	}},
}

// onlyCR reports whether lines end as those of old Macs do.
func onlyCR(sample []byte) bool {
	return bytes.IndexByte(sample, '\r') >= 0 && bytes.IndexByte(sample, '\n') < 0
}

func letter(b byte) bool { b |= 0x20; return b >= 'a' && b <= 'z' }

func lower(b byte) bool { return b >= 'a' && b <= 'z' }

func upper(b byte) bool { return b >= 'A' && b <= 'Z' }

// at returns the byte there, or a space beyond the ends.
func at(sample []byte, i int) byte {
	if i < 0 || i >= len(sample) {
		return ' '
	}
	return sample[i]
}

// latin counts what a charset of Latin letters has: letters with marks, one or two in a row, within a word of ASCII
// letters; and the signs and punctuation of word processors, one at a time.
type latin struct {
	letter func(b byte) bool // beyond ASCII
	other  func(b byte) bool // letters that are rare
	sign   func(b byte) bool // signs that do not stand within a word
	none   func(b byte) bool // no characters
	upper  string            // capitals, which follow no small letter; "": those tell nothing
}

func (c latin) look(sample []byte) (l looks) {
	for i := 0; i < len(sample); i++ {
		b := sample[i]
		if b < utf8.RuneSelf {
			continue
		}
		before, after := at(sample, i-1), at(sample, i+1)
		if !c.letter(b) {
			switch {
			case c.other(b):
				l.rare++
			case c.none(b) || c.sign(b) && letter(before) && letter(after):
				l.bad++
			case before < utf8.RuneSelf && after < utf8.RuneSelf:
				l.good++
			default:
				l.rare++
			}
			continue
		}
		end := i + 1
		for end < len(sample) && sample[end] >= utf8.RuneSelf && c.letter(sample[end]) {
			end++
		}
		switch n := end - i; {
		case strings.IndexByte(c.upper, b) >= 0 && (lower(before) || upper(before) && lower(after)):
			l.bad += n
		case n <= 2 && (letter(before) || letter(at(sample, end))):
			l.good += n
		case n <= 2:
			l.rare += n
		default:
			l.bad += n
		}
		i = end - 1
	}
	return l
}

func oneOf(list string) func(b byte) bool {
	return func(b byte) bool { return strings.IndexByte(list, b) >= 0 }
}

var western = latin{
	letter: func(b byte) bool { return b >= 0xC0 && b != 0xD7 && b != 0xF7 },
	other:  oneOf("\x8A\x8C\x8E\x9A\x9C\x9E\x9F"),
	sign:   func(b byte) bool { return b != 0x92 && b != 0x96 && b != 0x97 && b != 0xB4 && b != 0xB7 },
	none:   oneOf("\x81\x8D\x8F\x90\x9D"),
}

// What Macs had before they had Unicode, and what DOS had: a spreadsheet still offers both. Their letters are the same
// bytes. A file whose lines end as those of old Macs do is a Mac's.
var (
	macRoman = latin{
		letter: func(b byte) bool { return b <= 0x9F || b == 0xA7 || b >= 0xE7 && b <= 0xEF || b == 0xCB || b == 0xE5 },
		other:  oneOf("\xAE\xAF\xBE\xBF\xCC\xCD\xCE\xCF\xD8\xD9\xE6\xF1\xF2\xF3\xF4"),
		sign:   func(b byte) bool { return b != 0xD5 },
		none:   func(byte) bool { return false },
		upper:  "\x80\x81\x82\x83\x84\x85\x86\xCB\xE5\xE7\xE8\xE9\xEA\xEB\xEC\xED\xEE\xEF",
	}
	dos = latin{
		letter: func(b byte) bool { return b <= 0x9A || b >= 0xA0 && b <= 0xA5 || b == 0xE1 },
		other:  oneOf("\x9B\x9D\xB5\xB6\xB7\xC6\xC7\xD2\xD3\xD4\xD6\xD7\xD8\xDE\xE0\xE2\xE3\xE4\xE5\xE9\xEA\xEB"),
		sign:   func(byte) bool { return true },
		none:   func(b byte) bool { return b >= 0xB0 && b <= 0xDF },
		upper:  "\x80\x8E\x8F\x90\x92\x99\x9A",
	}
)

// cyrillic counts what windows-1251 has: words of Cyrillic letters, with capitals only where a word begins or all over.
func cyrillic(sample []byte) (l looks) {
	upper := func(b byte) bool { return b >= 0xC0 && b <= 0xDF || b == 0xA8 }
	isLetter := func(b byte) bool { return b >= 0xC0 || b == 0xA8 || b == 0xB8 }
	for i := 0; i < len(sample); i++ {
		b := sample[i]
		if b < utf8.RuneSelf {
			continue
		}
		if !isLetter(b) {
			if b == 0x98 || b >= 0xA1 && b <= 0xBF && b != 0xAB && b != 0xB9 && b != 0xBB {
				l.bad++
			} else {
				l.rare++
			}
			continue
		}
		end, mixed := i+1, 0
		for end < len(sample) && isLetter(sample[end]) {
			if upper(sample[end]) && !upper(sample[end-1]) {
				mixed++
			}
			end++
		}
		switch n := end - i; {
		case letter(at(sample, i-1)) || letter(at(sample, end)) || mixed > 0:
			l.bad += n
		case n == 1:
			l.rare++
		default:
			l.good += n
		}
		i = end - 1
	}
	return l
}

// pairs count what a charset of two bytes a character has.
type pairs struct {
	of     func(lead, trail byte) (usual, valid bool)
	single func(b byte) bool // those beyond ASCII that are a character by themselves
}

func (p pairs) look(sample []byte) (l looks) {
	for i := 0; i < len(sample); i++ {
		b := sample[i]
		if b < utf8.RuneSelf {
			continue
		}
		if p.single != nil && p.single(b) {
			l.rare++
			continue
		}
		usual, valid := p.of(b, at(sample, i+1))
		switch {
		case usual:
			l.good += 2
		case valid:
			l.rare += 2
		default:
			l.bad++
			continue
		}
		i++
	}
	return l
}

func within(b, from, to byte) bool { return b >= from && b <= to }

// shiftJIS knows kana, punctuation, full-width letters and the first level of kanji as usual.
func shiftJIS(lead, trail byte) (usual, valid bool) {
	valid = (within(lead, 0x81, 0x9F) || within(lead, 0xE0, 0xEA)) && within(trail, 0x40, 0xFC) && trail != 0x7F
	usual = valid && (lead == 0x81 && trail <= 0x5B || lead == 0x82 || lead == 0x83 && trail <= 0x96 ||
		within(lead, 0x88, 0x97) || lead == 0x98 && trail <= 0x72)
	return usual, valid
}

// gb18030 knows the first level of GB 2312, which is in the order of pinyin, and punctuation as usual.
func gb18030(lead, trail byte) (usual, valid bool) {
	valid = within(lead, 0xA1, 0xF7) && within(trail, 0xA1, 0xFE)
	return valid && within(lead, 0xB0, 0xD7) || valid && lead == 0xA3, valid
}

// korean counts Hangul. A few of them could as well be Chinese in GB18030, many could not.
func korean(sample []byte) looks {
	l := pairs{eucKR, nil}.look(sample)
	if l.good < 20 {
		l.good, l.rare = 0, l.rare+l.good
	}
	return l
}

// eucKR knows Hangul as usual.
func eucKR(lead, trail byte) (usual, valid bool) {
	valid = within(lead, 0xA1, 0xFD) && within(trail, 0xA1, 0xFE)
	return valid && within(lead, 0xB0, 0xC8), valid
}

// big5 knows the first level of its characters as usual.
func big5(lead, trail byte) (usual, valid bool) {
	valid = within(lead, 0xA1, 0xF9) && (within(trail, 0x40, 0x7E) || within(trail, 0xA1, 0xFE))
	return valid && within(lead, 0xA4, 0xC6), valid
}
