package lead

import "strings"

// formulaStarts are what a spreadsheet takes for the beginning of a formula (OWASP: CSV Injection).
const formulaStarts = "=+-@\t\r"

// SafeCell returns text as a cell of a CSV file that no spreadsheet takes for a formula: with an apostrophe before it
// where it would. Text that looks as if it had one already gets another, so that UnsafeCell gives back every text as it
// was.
func SafeCell(text string) string {
	if escapable(text) {
		return "'" + text
	}
	return text
}

// UnsafeCell returns what SafeCell was given.
func UnsafeCell(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && escapable(rest) {
		return rest
	}
	return cell
}

func escapable(text string) bool {
	text = strings.TrimLeft(text, "'")
	return text != "" && strings.IndexByte(formulaStarts, text[0]) >= 0
}
