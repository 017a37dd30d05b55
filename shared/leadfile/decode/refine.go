package decode

import "unicode/utf8"

// refine tells charsets apart that have their letters in the same places. It returns another charset than the one that
// was found, "" for none, where the text has what only that other one has:
//
//   - windows-1250, of Central Europe: letters where windows-1252 has signs, or those with a caron, or "ø" beside what
//     would be letters of Italian, or "õ" beside "ö", are a tenth of its letters.
//   - windows-1254, of Turkey: its own six letters are a fifth, and there are hardly any of those that Icelandic has.
//   - windows-1255, of Hebrew: letters without capitals and without the last five, which no list of people in
//     windows-1251 is.
func refine(found string, sample []byte) string {
	switch found {
	case "", "windows-1252":
		n := countLetters(sample)
		turkish, icelandic := n.of("\xD0\xDD\xDE\xF0\xFD\xFE"), n.of("\xC1\xCD\xD3\xE1\xE3\xE6\xED\xF3\xFA")
		own := n.of(central) + n.of("\x8A\x8E\x9A\x9E")
		if mixed := min(n.of("\xF8"), n.of("\xE8\xEC\xF2\xF9\xFD")); mixed > 1 {
			own += mixed
		}
		if n.of("\xE3\xE4\xE8\xEA") == 0 && n.of("\xD6\xDC\xF6\xFC") > 0 {
			own += n.of("\xD5\xDB\xF5\xFB")
		}
		switch {
		case n.total == 0 || n.others > 0:
		case found != "" && 5*turkish >= n.total && 4*icelandic < turkish:
			return "windows-1254"
		case 10*own >= n.total && (found != "" || n.of(central) > 1):
			return "windows-1250"
		}
	case "windows-1251":
		if !hasCyrillicOnly(sample) {
			return "windows-1255"
		}
	}
	return found
}

// central are letters of Central Europe that are signs of the West, or nothing: ą ľ ł ş ź ż ť and their capitals.
const central = "\x8D\x8F\x9D\x9F\xA3\xA5\xAA\xAF\xB3\xB9\xBA\xBC\xBE\xBF"

// letters counts bytes beyond ASCII that stand as letters of windows-1250.
type letters struct {
	n      [256]int
	total  int
	others int // bytes within words that are no letters there
}

func (l *letters) of(list string) (n int) {
	for i := range len(list) {
		n += l.n[list[i]]
	}
	return n
}

func countLetters(sample []byte) (l letters) {
	known := func(b byte) bool {
		return letter(b) || b >= 0xC0 && b != 0xD7 && b != 0xF7 || oneOf(central+"\x8A\x8C\x8E\x9A\x9C\x9E")(b)
	}
	for i, b := range sample {
		before, after := at(sample, i-1), at(sample, i+1)
		switch {
		case b < utf8.RuneSelf || !known(before) && !known(after):
		case !known(b):
			if known(before) && known(after) && b != 0x92 && b != 0x96 && b != 0x97 && b != 0xB4 && b != 0xB7 {
				l.others++
			}
		case !oneOf(central)(b), known(after) && (known(before) || b != 0xBF && b != 0xBA && b != 0xAA),
			known(before) && (b == 0xB3 && before != 'm' || b == 0xB9 || b == 0x9F || b == 0xBE): // no m³, ¿Qué?, nº
			l.n[b]++
			l.total++
		}
	}
	return l
}

// hasCyrillicOnly reports whether a text has letters of windows-1251 that windows-1255 has not.
func hasCyrillicOnly(sample []byte) bool {
	for _, b := range sample {
		if b >= 0xC0 && b <= 0xDF || b >= 0xFB || b == 0xA8 || b == 0xB8 {
			return true
		}
	}
	return false
}

// japanese counts what EUC-JP has. Its kanji could as well be Chinese in GB18030; its kana could not.
func japanese(sample []byte) looks {
	kana := 0
	l := pairs{func(lead, trail byte) (usual, valid bool) {
		valid = (within(lead, 0xA1, 0xF4) || lead == 0x8E) && within(trail, 0xA1, 0xFE)
		if valid && within(lead, 0xA4, 0xA5) {
			kana++
			return true, true
		}
		return valid && (lead == 0xA1 || lead == 0xA3 || within(lead, 0xB0, 0xCF)), valid
	}, nil}.look(sample)
	if kana < 4 {
		return looks{}
	}
	return l
}
