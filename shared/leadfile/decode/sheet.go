package decode

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a sheet.
const (
	maxColumns = 16_384   // Excel's
	maxCell    = 64 << 10 // bytes; Excel's is 32,767 characters
)

// sheet reads the rows of a sheet as CSV, a few at a time.
type sheet struct {
	*book
	dec   *tokens
	text  bytes.Buffer
	csv   *csv.Writer
	cells []string
	row   int // the last that was written
	ended bool
}

func newSheet(b *book, in io.Reader) io.Reader {
	if in == nil {
		in = strings.NewReader("")
	}
	s := &sheet{book: b, dec: newTokens(in)}
	s.csv = csv.NewWriter(&s.text)
	return s
}

// Read implements io.Reader.
func (s *sheet) Read(p []byte) (int, error) {
	for s.text.Len() == 0 {
		if s.ended {
			return 0, io.EOF
		}
		s.text.Reset()
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	return s.text.Read(p)
}

// next writes the next row, and a blank line for every row that is left out before it, so that rows keep their numbers.
func (s *sheet) next() error {
	for {
		tok, err := s.dec.next()
		if err == io.EOF {
			s.ended = true
			return nil
		}
		if err != nil {
			return err
		}
		start, ok := tok.(xml.StartElement)
		if !ok || start.Name.Local != "row" {
			continue
		}
		n := s.row + 1
		if at, err := strconv.Atoi(attribute(start, "r")); err == nil && at > n {
			n = min(at, n+100) // more blank lines tell nobody more
		}
		for ; s.row < n-1; s.row++ {
			s.text.WriteByte('\n')
		}
		s.row = n
		if err := s.readRow(); err != nil {
			return err
		}
		for len(s.cells) > 0 && s.cells[len(s.cells)-1] == "" {
			s.cells = s.cells[:len(s.cells)-1]
		}
		if len(s.cells) == 0 {
			s.text.WriteByte('\n')
			return nil
		}
		if err := s.csv.Write(s.cells); err != nil {
			return err
		}
		s.csv.Flush()
		return s.csv.Error()
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// readRow reads the cells of a row up to its end.
func (s *sheet) readRow() error {
	s.cells = s.cells[:0]
	size := 0
	for {
		tok, err := s.dec.next()
		if err != nil {
			return unexpected(err)
		}
		switch tok := tok.(type) {
		case xml.EndElement:
			if tok.Name.Local == "row" {
				return nil
			}
		case xml.StartElement:
			if tok.Name.Local != "c" {
				continue
			}
			at := column(attribute(tok, "r"))
			if at < 0 {
				at = len(s.cells)
			}
			text, err := s.cell(tok)
			if err != nil {
				return err
			}
			if size += len(text); text == "" || at >= maxColumns || size > 4*maxCell { // such a row is refused as too long
				continue
			}
			for len(s.cells) <= at {
				s.cells = append(s.cells, "")
			}
			s.cells[at] = text
		}
	}
}

// column is which column a reference such as AB12 means; -1 is none.
func column(reference string) int {
	n := 0
	for i := 0; i < len(reference); i++ {
		c := reference[i] &^ 0x20
		if c < 'A' || c > 'Z' {
			break
		}
		if n = n*26 + int(c-'A') + 1; n > maxColumns {
			return maxColumns
		}
	}
	return n - 1
}

// cell returns the text of a cell up to its end.
func (s *sheet) cell(start xml.StartElement) (text string, err error) {
	kind, style := attribute(start, "t"), attribute(start, "s")
	value, inline := "", ""
	for {
		tok, err := s.dec.next()
		if err != nil {
			return "", unexpected(err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			switch tok.Name.Local {
			case "v":
				value, err = s.value()
			case "is":
				inline, err = richText(s.dec, "is")
			}
			if err != nil {
				return "", err
			}
		case xml.EndElement:
			if tok.Name.Local == "c" {
				if inline != "" {
					return inline, nil
				}
				return s.shown(kind, style, value)
			}
		}
	}
}

func (s *sheet) value() (string, error) {
	var text strings.Builder
	for {
		tok, err := s.dec.next()
		if err != nil {
			return "", unexpected(err)
		}
		switch tok := tok.(type) {
		case xml.CharData:
			if text.Len() < maxCell {
				text.Write(tok)
			}
		case xml.EndElement:
			return text.String(), nil
		}
	}
}

// shown is a value as people see it: days as ISO 8601, numbers without an exponent or what a computer adds to them.
func (s *sheet) shown(kind, style, value string) (string, error) {
	switch kind {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || i < 0 || i >= len(s.shared) {
			return "", fmt.Errorf("a cell of row %d has text %.20q of %d", s.row, value, len(s.shared))
		}
		return s.shared[i], nil
	case "str":
		return unescape(value), nil
	case "b":
		if value == "1" {
			return "true", nil
		}
		return "false", nil
	case "e": // #N/A and the like
		return "", nil
	case "d":
		return value, nil
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return value, nil
	}
	if i, err := strconv.Atoi(style); err == nil && i >= 0 && i < len(s.dates) && s.dates[i] {
		if day, ok := s.date(number); ok {
			return day, nil
		}
	}
	if math.Abs(number) < 1e15 && strings.ContainsAny(value, "eE.") {
		return strconv.FormatFloat(number, 'f', -1, 64), nil
	}
	return value, nil
}

// date is a day number as ISO 8601: a day, a time, or both.
func (s *sheet) date(number float64) (string, bool) {
	if number < 0 || number >= 2958466 { // the year 10000
		return "", false
	}
	begin := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case s.epoch == 1904:
		begin = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case number < 60: // before the 29 February 1900 that Excel takes for a day
		begin = begin.AddDate(0, 0, 1)
	}
	days, part := math.Modf(number)
	at := begin.AddDate(0, 0, int(days)).Add(time.Duration(math.Round(part*86400)) * time.Second)
	switch {
	case days == 0 && part > 0:
		return at.Format(time.TimeOnly), true
	case part == 0:
		return at.Format(time.DateOnly), true
	}
	return at.Format("2006-01-02T15:04:05"), true
}

// unescape replaces what a workbook writes for characters that XML cannot hold: _x000D_.
func unescape(text string) string {
	if !strings.Contains(text, "_x") {
		return text
	}
	var b strings.Builder
	for {
		i := strings.Index(text, "_x")
		if i < 0 {
			break
		}
		if len(text) >= i+7 && text[i+6] == '_' {
			if r, err := strconv.ParseUint(text[i+2:i+6], 16, 16); err == nil && utf8.ValidRune(rune(r)) {
				b.WriteString(text[:i])
				b.WriteRune(rune(r))
				text = text[i+7:]
				continue
			}
		}
		b.WriteString(text[:i+2])
		text = text[i+2:]
	}
	b.WriteString(text)
	return b.String()
}
