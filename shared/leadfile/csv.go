package leadfile

import (
	"bytes"
	"fmt"
	"strings"
)

// broken is why a file cannot be read on.
type broken struct {
	row  int // 0: no row in particular
	text string
}

func (b *broken) Error() string {
	if b.row == 0 {
		return b.text
	}
	return fmt.Sprintf("Row %d: %s", b.row, b.text)
}

// csv reads records, one after the other: RFC 4180, and what people have besides it. A line ends with CR, LF or both.
type csv struct {
	delimiter byte
	quote     byte // 0: none
	escape    bool // a backslash in a quoted cell takes the quote or backslash after it literally
	columns   int  // of the file; 0: not known yet
	list      bool // every cell is a record
	inner     *csv // reads the cells in the one cell of a line; nil: there are none

	cells   []string // of the last record; their text is one string
	text    []byte
	ends    []int
	literal bool // a cell of the last record goes on after its closing quote: its quotes are taken as they are
	slashed bool // and a backslash stands before that quote
	rowlike int  // lines within quotes of the last record that look like rows themselves
	open    bool // a quote of the last record is not closed as it should: only its first line was read, without cells
	long    bool // the last record was longer than MaxRow, and has no cells
}

// maxRowlike is how many lines that look like rows a quoted cell has at most: beyond, its quote was never closed.
const maxRowlike = 20

func newCSV(o *Options) *csv {
	c := &csv{delimiter: o.Delimiter[0], quote: '"', escape: o.Escape, columns: len(o.Columns), list: o.List}
	switch o.Quote {
	case "":
	case noQuote:
		c.quote = 0
	default:
		c.quote = o.Quote[0]
	}
	if o.Wrapped {
		in := *o
		in.Wrapped = false
		c.inner = newCSV(&in)
	}
	return c
}

// record reads the record that data begins with and returns its length with the end of its line. last tells that the
// file ends with data, of which there are else more than MaxRow bytes. Where the record is longer than that, n is 0 and
// long is set.
//
// A quote that is open at the end of a line belongs to a cell of several lines, if the record then ends as it should.
// Else it is a slip of that line, which must not cost the others: open is set, and n is the length of the line.
func (c *csv) record(data []byte, last bool) (n int) {
	c.cells, c.literal, c.slashed, c.rowlike, c.open, c.long = c.cells[:0], false, false, 0, false, false
	line, n, whole := data, len(data), last
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		line, n, whole = data[:i], i+1, true
	}
	if k := len(line) - 1; k >= 0 && line[k] == '\r' {
		line = line[:k]
	}
	if whole && !c.list && len(line) <= MaxRow && (c.quote == 0 || bytes.IndexByte(line, c.quote) < 0) &&
		bytes.IndexByte(line, '\r') < 0 {
		c.split(string(line))
		return n
	}
	n = c.quoted(data)
	if c.inner != nil && len(c.cells) == 1 {
		c.inner.record([]byte(c.cells[0]), true)
		c.cells = c.inner.cells
	}
	return n
}

// split cuts a line that has no quotes.
func (c *csv) split(line string) {
	for {
		i := strings.IndexByte(line, c.delimiter)
		if i < 0 {
			c.cells = append(c.cells, line)
			return
		}
		c.cells = append(c.cells, line[:i])
		line = line[i+1:]
	}
}

// What a character is read as, by what stands before it.
const (
	atStart = iota // of a cell
	inPlain
	inQuotes
	afterQuote // which may be the first of two
)

// quoted is record for all that is not plain.
func (c *csv) quoted(data []byte) (n int) {
	c.text, c.ends = c.text[:0], c.ends[:0]
	where, folded := atStart, false // folded: it goes over several lines
	for n = 0; n < len(data) && n <= MaxRow; n++ {
		b := data[n]
		quote := b == c.quote && c.quote != 0
		switch {
		case where == inQuotes && quote:
			where = afterQuote
			continue
		case where == inQuotes && b == '\\' && c.escape && n+1 < len(data) && (data[n+1] == c.quote || data[n+1] == '\\'):
			n++
			b = data[n]
		case where == inQuotes:
			if b == '\n' || b == '\r' {
				folded = true
				if c.rowlike += c.looksLikeRow(data[n+1:]); c.rowlike > maxRowlike {
					return c.leaveOpen(data)
				}
			}
		case where == atStart && c.quoteAfterSpace(data[n:]):
			n += bytes.IndexByte(data[n:], c.quote)
			where = inQuotes
			continue
		case where == afterQuote && quote:
			where = inQuotes
		case b == c.delimiter && c.list:
			c.cut()
			return n + 1
		case b == c.delimiter:
			c.ends = append(c.ends, len(c.text))
			where = atStart
			continue
		case b == '\n' || b == '\r':
			if b == '\r' && n+1 < len(data) && data[n+1] == '\n' {
				n++
			}
			c.cut()
			return n + 1
		case where == afterQuote && b == ' ' && c.endsAfterSpace(data[n:]):
			continue
		case where == afterQuote && folded:
			return c.leaveOpen(data)
		case where == afterQuote:
			c.slashed = c.slashed || n >= 2 && data[n-2] == '\\'
			c.takeLiterally()
			where = inPlain
		default:
			where = inPlain
		}
		if folded && b > ' ' && c.columns > 0 && len(c.ends) >= c.columns { // more cells than columns
			return c.leaveOpen(data)
		}
		c.text = append(c.text, b)
	}
	switch {
	case n > MaxRow && !folded:
		c.long = true
		return 0
	case where == inQuotes || n > MaxRow:
		return c.leaveOpen(data)
	}
	c.cut()
	return n
}

// leaveOpen reads no more than the first line.
func (c *csv) leaveOpen(data []byte) (n int) {
	c.open, c.cells = true, c.cells[:0]
	n = bytes.IndexAny(data, "\r\n")
	switch {
	case n < 0:
		return len(data)
	case data[n] == '\r' && n+1 < len(data) && data[n+1] == '\n':
		n++
	}
	return n + 1
}

// looksLikeRow is 1 where data begins with a line that has an address and as many cells as the file has columns.
func (c *csv) looksLikeRow(data []byte) int {
	if c.columns < 2 {
		return 0
	}
	data = data[:min(len(data), MaxRow)]
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		data = data[:i]
	}
	if bytes.IndexByte(data, '@') >= 0 && bytes.Count(data, []byte{c.delimiter}) == c.columns-1 {
		return 1
	}
	return 0
}

// quoteAfterSpace reports whether a cell begins with a quote, maybe after spaces.
func (c *csv) quoteAfterSpace(data []byte) bool {
	if c.quote == 0 {
		return false
	}
	for _, b := range data {
		if b != ' ' {
			return b == c.quote
		}
	}
	return false
}

// endsAfterSpace reports whether nothing but spaces comes before the end of a cell.
func (c *csv) endsAfterSpace(data []byte) bool {
	for _, b := range data {
		if b != ' ' {
			return b == c.delimiter || b == '\n' || b == '\r'
		}
	}
	return true
}

// takeLiterally puts the quotes around what was read of a cell back to it: they were no quotes of the file.
func (c *csv) takeLiterally() {
	c.literal = true
	from := 0
	if len(c.ends) > 0 {
		from = c.ends[len(c.ends)-1]
	}
	c.text = append(c.text, c.quote)
	copy(c.text[from+1:], c.text[from:])
	c.text[from] = c.quote
	c.text = append(c.text, c.quote)
}

// cut makes cells of what quoted read.
func (c *csv) cut() {
	text, from := string(c.text), 0
	for _, end := range c.ends {
		c.cells = append(c.cells, text[from:end])
		from = end
	}
	c.cells = append(c.cells, text[from:])
}
