package leadfile

import (
	"bytes"
	"fmt"
	"strings"
)

// broken is why a file cannot be read on.
type broken struct {
	row  int // 0: the header
	text string
}

func (b *broken) Error() string {
	if b.row == 0 {
		return b.text
	}
	return fmt.Sprintf("Row %d: %s", b.row, b.text)
}

// csv reads records, one after the other. A line ends with CR, LF or both.
type csv struct {
	delimiter byte
	cells     []string // of the last record; their text is one string
	text      []byte
	ends      []int
	stray     bool // a cell of the last record goes on after its closing quote
	long      bool // the last record was longer than MaxRow, and has no cells
}

const neverEnds = "a cell begins with a quote that never ends"

// record reads the record that data begins with and returns its length with the end of its line. last tells that the
// file ends with data, of which there are else more than MaxRow bytes. Where the record is longer than that, n is 0 and
// long is set, or where a quote is open it is broken.
func (c *csv) record(data []byte, last bool) (n int, wrong *broken) {
	c.cells, c.stray, c.long = c.cells[:0], false, false
	line, n, whole := data, len(data), last
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		line, n, whole = data[:i], i+1, true
	}
	if k := len(line) - 1; k >= 0 && line[k] == '\r' {
		line = line[:k]
	}
	if whole && len(line) <= MaxRow && bytes.IndexByte(line, '"') < 0 && bytes.IndexByte(line, '\r') < 0 {
		c.split(string(line))
		return n, nil
	}
	return c.quoted(data, last)
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
func (c *csv) quoted(data []byte, last bool) (n int, wrong *broken) {
	c.text, c.ends = c.text[:0], c.ends[:0]
	where, folded := atStart, false // folded: it goes over several lines
	for n = 0; n < len(data) && n <= MaxRow; n++ {
		b := data[n]
		switch {
		case where == inQuotes && b == '"':
			where = afterQuote
			continue
		case where == inQuotes:
			folded = folded || b == '\n' || b == '\r'
		case where == atStart && b == '"':
			where = inQuotes
			continue
		case where == afterQuote && b == '"':
			where = inQuotes
		case b == c.delimiter:
			c.ends = append(c.ends, len(c.text))
			where = atStart
			continue
		case b == '\n' || b == '\r':
			if b == '\r' && n+1 < len(data) && data[n+1] == '\n' {
				n++
			}
			c.cut()
			return n + 1, nil
		case where == afterQuote:
			c.stray = true
			where = inPlain
		default:
			where = inPlain
		}
		c.text = append(c.text, b)
	}
	switch {
	case where == inQuotes:
		return 0, &broken{text: neverEnds}
	case n > MaxRow && folded: // nobody can tell where it ends
		return 0, &broken{text: fmt.Sprintf("it is longer than %d bytes and goes over several lines", MaxRow)}
	case n > MaxRow:
		c.long = true
		return 0, nil
	}
	c.cut()
	return n, nil
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
