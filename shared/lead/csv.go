package lead

import "strings"

// formulaStarts are what a spreadsheet takes for the beginning of a formula (OWASP: CSV Injection), some of them only
// where East Asian input is usual.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// separators are where a spreadsheet of another locale than the file's begins a new cell, quoted or not.
const separators = ";\t\r\n"

// SafeCell returns text as a cell of a CSV file of which no spreadsheet takes anything for a formula, whatever
// separates cells for it: with an apostrophe before what it would take for one. Text that looks as if it had one
// already gets another, so that UnsafeCell gives back every text as it was.
func SafeCell(text string) string {
	return eachPart(text, func(part string) string {
		if escapable(part) {
			return "'" + part
		}
		return part
	})
}

// UnsafeCell returns what SafeCell was given.
func UnsafeCell(cell string) string {
	return eachPart(cell, func(part string) string {
		if rest, ok := strings.CutPrefix(part, "'"); ok && escapable(rest) {
			return rest
		}
		return part
	})
}

// eachPart replaces each part of text that a separator ends, with that separator.
func eachPart(text string, replace func(string) string) string {
	if !strings.ContainsAny(text, separators) {
		return replace(text)
	}
	var b strings.Builder
	for text != "" {
		end := strings.IndexAny(text, separators) + 1
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
