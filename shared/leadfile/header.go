package leadfile

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"leadgate/shared/fault"
)

// Said is what the sender of a CSV file says of it; what is left out is found.
type Said struct {
	Mapping   Mapping
	Delimiter string // one character
	Quote     string // one character, or "none"
	Header    string // which row names the columns, from 1 on, or "none"
	Phones    bool   // a phone will do where there is no email

	OtherSheets []string // of a workbook, which may have the leads
}

// noQuote says that a file has no quotes, or that none of its rows names the columns.
const (
	noQuote  = "none"
	noHeader = "none"
)

// Bounds of looking for a header.
const (
	headerRows = 50 // from the first on
	dataRows   = 10 // after it, of which most have an address
)

// delimiters are those that are tried, in this order.
const delimiters = ",;\t|^~"

// Check returns what is wrong with what is said, for the parameters of an upload.
func (s *Said) Check() (wrong []fault.Field) {
	refuse := func(field, value, message string) {
		wrong = append(wrong, fault.Field{Field: field, Value: fault.Truncate(value), Message: message})
	}
	if s.Delimiter != "" && !separates(s.Delimiter) || s.Delimiter == `"` && s.Quote == "" {
		refuse("delimiter", s.Delimiter, "Must be one character that separates cells, such as , ; | or a tab (%09), and not "+
			"the quote around them")
	}
	if s.Quote != "" && s.Quote != noQuote && (!separates(s.Quote) || s.Quote == s.Delimiter) {
		refuse("quote", s.Quote, `Must be one character, such as ' or ", that is not the delimiter, or none`)
	}
	n, err := strconv.Atoi(s.Header)
	if s.Header != "" && s.Header != noHeader && (err != nil || n < 1 || n > headerRows) {
		refuse("header", s.Header, fmt.Sprintf("Must be the number of the row that names the columns, 1 to %d, or none",
			headerRows))
	}
	return wrong
}

// separates reports whether text is one ASCII character that no word has.
func separates(text string) bool {
	return len(text) == 1 && text[0] < utf8.RuneSelf && (text[0] > ' ' || text[0] == '\t' || text[0] == ' ') &&
		!('0' <= text[0] && text[0] <= '9' || 'a' <= text[0]|0x20 && text[0]|0x20 <= 'z' || text[0] == '@')
}

// ReadHeader finds out how a CSV file is written, and what its columns are. first is how it begins, decode.Sample bytes
// or all of it; start is where the rows begin. The error is a VALIDATION_ERROR that tells every mistake.
//
// The delimiter is the one that a line "sep=" names, or whichever of comma, semicolon, tab, pipe, caret and tilde gives
// a header with most columns. The header is the first of 50 rows with a name that is known for an email, or for a phone
// where that will do, or that the mapping sends there; where there is none, the row before the first that has an
// address in a column which has one in most of the rows after it too. A file that begins with such rows has no header:
// its columns are "Column 1" and so on, or it is a list, if it has nothing but addresses.
func ReadHeader(first []byte, said Said) (o Options, start int64, err error) {
	if wrong := said.Check(); len(wrong) > 0 {
		return o, 0, fault.Invalid(wrong)
	}
	text := bytes.TrimPrefix(first, mark)
	skipped := len(first) - len(text)
	named, n := separatorLine(text)
	if text, skipped = text[n:], skipped+n; said.Delimiter == "" {
		said.Delimiter = named
	}
	if !slices.ContainsFunc(strings.Split(string(text[:min(len(text), MaxRow)]), "\n"), filled) {
		return o, 0, fault.InvalidField("body", nil, "Must be a file with a header that names its columns: it is empty")
	}
	o.Quote = said.Quote
	if o.Quote == `"` {
		o.Quote = ""
	}
	if said.Quote == "" && quotedSingly(text) {
		o.Quote = "'"
	}
	tried := delimiters
	if said.Delimiter != "" {
		tried = said.Delimiter
	}
	var best *layout
	for i := range len(tried) {
		o.Delimiter, o.Wrapped = tried[i:i+1], false
		o.Wrapped = wraps(text, &o)
		if l := layoutOf(text, o, &said); best == nil || l.better(best) {
			best = l
		}
	}
	best.Options.Escape = best.escapes(text)
	if err := best.name(&said); err != nil {
		return o, 0, err
	}
	return best.Options, int64(skipped) + best.start, nil
}

// quotedSingly reports whether all of the first line is in single quotes.
func quotedSingly(text []byte) bool {
	line := text[:min(len(text), MaxRow)]
	if i := bytes.IndexAny(line, "\r\n"); i >= 0 {
		line = line[:i]
	}
	cells := bytes.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(delimiters, r) })
	return len(cells) > 0 && !slices.ContainsFunc(cells, func(cell []byte) bool {
		return len(cell) < 2 || cell[0] != '\'' || cell[len(cell)-1] != '\''
	})
}

// separatorLine reads the line "sep=;" that files for Excel begin with.
func separatorLine(text []byte) (delimiter string, n int) {
	line := text[:min(len(text), 16)]
	if i := bytes.IndexAny(line, "\r\n"); i >= 0 {
		line = line[:i]
	}
	bare := bytes.Trim(line, `"`)
	if len(bare) != 5 || !strings.EqualFold(string(bare[:4]), "sep=") || !separates(string(bare[4:])) {
		return "", 0
	}
	n = len(line)
	if n < len(text) && text[n] == '\r' {
		n++
	}
	if n < len(text) && text[n] == '\n' {
		n++
	}
	return string(bare[4:]), n
}

// How well a header is known; the better, the larger.
const (
	noneFound   = iota
	onlyRows    // rows have addresses, and no row before them names the columns
	beforeRows  // the row before those with addresses
	onlyList    // there is nothing but addresses
	namesEmail  // a row with a known name
	saidBySends // the sender says which
)

// layout is how a file looks with one delimiter.
type layout struct {
	Options
	known int
	names []string   // of the columns
	rows  []startRow // those after them
	email int        // the column with addresses, where no name tells it; -1: none
	start int64      // of the rows after the header, or of all rows
}

func (l *layout) better(than *layout) bool {
	if l.known != than.known {
		return l.known > than.known
	}
	return len(l.names) > len(than.names)
}

// layoutOf looks at a file with one delimiter.
func layoutOf(text []byte, o Options, said *Said) *layout {
	l := &layout{Options: o, email: -1}
	rows := startRows(text, newCSV(&o), headerRows+dataRows)
	switch n, err := strconv.Atoi(said.Header); {
	case said.Header == noHeader:
		l.known = saidBySends
		l.bare(rows)
		l.email = addressColumn(rows)
		return l
	case err == nil:
		l.known = saidBySends
		for i := range rows {
			if rows[i].number == n {
				l.take(rows, i)
			}
		}
		return l
	}
	if i := said.nameRow(rows[:min(len(rows), headerRows)]); i >= 0 {
		l.known = namesEmail
		l.take(rows, i)
		return l
	}
	for i := range rows[:min(len(rows), headerRows)] {
		at := addressColumn(rows[i:])
		switch {
		case at < 0 || at >= len(rows[i].address) || !rows[i].address[at]:
		case i == 0 || len(rows[i-1].cells) <= at || !filled(rows[i-1].cells[at]):
			l.known, l.email = onlyRows, at
			if l.List = onlyAddresses(rows[i:]); l.List {
				l.known = onlyList
			}
			l.bare(rows[i:])
			return l
		default:
			l.known = beforeRows
			l.take(rows, i-1)
			l.email = at
			return l
		}
	}
	if len(rows) > 0 {
		l.take(rows, 0)
		l.email = -1
	}
	return l
}

// take takes the names of the columns from a row.
func (l *layout) take(rows []startRow, i int) {
	l.names, l.start, l.Header = rows[i].cells, rows[i].end, rows[i].number
	l.rows = rows[i+1:]
	l.email = addressColumn(l.rows)
}

// bare makes names for columns that have none. Rows that are before them are rows as well.
func (l *layout) bare(rows []startRow) {
	if l.List {
		l.names, l.email = []string{columnName(0)}, 0
		return
	}
	for _, r := range rows {
		for len(l.names) < len(r.cells) {
			l.names = append(l.names, columnName(len(l.names)))
		}
	}
}

func columnName(at int) string { return fmt.Sprintf("Column %d", at+1) }

// escapes reports whether a backslash takes the quote after it literally, as tools of MySQL have it: a quote after one
// is followed by what cannot follow a quote that ends a cell.
func (l *layout) escapes(text []byte) bool {
	c := newCSV(&l.Options)
	if c.quote == 0 || !bytes.Contains(text, []byte{'\\', c.quote}) {
		return false
	}
	for at := 0; at < len(text); {
		n := c.record(text[at:], true)
		if c.long {
			return false
		}
		if c.literal && c.slashed {
			return true
		}
		at += n
	}
	return false
}
