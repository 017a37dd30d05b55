package lead

import "strings"

// formulaStarts are what a spreadsheet takes for the beginning of a formula (OWASP: CSV Injection), some of them only
// where East Asian input is usual.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// separators are where a spreadsheet that is set otherwise than the file begins a new cell, quoted or not. A comma is
// one of them in a file that other characters delimit: in one of commas, cells that have it are quoted.
const (
	separators      = ";|\t\r\n"
	otherSeparators = separators + ","
)

// SafeCell returns text as a cell of a CSV file of which no spreadsheet takes anything for a formula, whatever
// separates cells for it: with an apostrophe before what it would take for one. A sign and digits alone, such as a
// phone number, are no formula. Text that looks as if it had an apostrophe already gets another, so that UnsafeCell
// gives back every text as it was.
func SafeCell(text string, delimiter byte) string {
	return eachPart(text, delimiter, func(part string) string {
		if escapable(part) && !isNumber(part) {
			return "'" + part
		}
		return part
	})
}

// UnsafeCell returns what SafeCell was given.
func UnsafeCell(cell string, delimiter byte) string {
	return eachPart(cell, delimiter, func(part string) string {
		if rest, ok := strings.CutPrefix(part, "'"); ok && escapable(rest) {
			return rest
		}
		return part
	})
}

// eachPart replaces each part of text that a separator ends, with that separator.
func eachPart(text string, delimiter byte, replace func(string) string) string {
	ends := separators
	if delimiter != ',' {
		ends = otherSeparators
	}
	if !strings.ContainsAny(text, ends) {
		return replace(text)
	}
	var b strings.Builder
	for text != "" {
		end := strings.IndexAny(text, ends) + 1
		if end == 0 {
			end = len(text)
		}
		b.WriteString(replace(text[:end]))
		text = text[end:]
	}
	return b.String()
}

func escapable(text string) bool {
	text = strings.TrimLeft(text, "'")
	for _, first := range text {
		return strings.ContainsRune(formulaStarts, first)
	}
	return false
}

// isNumber reports whether a part is a sign and digits, maybe with spaces between.
func isNumber(part string) bool {
	if part == "" || part[0] != '+' && part[0] != '-' {
		return false
	}
	digits := strings.TrimRight(part[1:], otherSeparators)
	return strings.Trim(digits, "0123456789 ") == "" && strings.Trim(digits, " ") != ""
}
