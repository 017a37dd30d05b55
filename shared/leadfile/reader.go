package leadfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// Row is one row of a file: a lead, or what is wrong with it.
type Row struct {
	Number   int     // 1 is the first lead
	Lead     id.UUID // that the row of an export names; zero: none
	Draft    lead.Draft
	Chatbot  id.UUID        // zero: none
	Wrong    *Mistake       // nil: nothing
	Warnings []lead.Warning // what was odd and did not cost the lead
	End      int64          // where the next row begins in the file
}

// Reader reads rows from a place in a file on. It holds no more than a few rows of it.
type Reader struct {
	src      io.Reader
	buf      []byte
	from, to int   // what is unread of buf
	at       int64 // where from is in the file
	ended    error // of src; io.EOF: it was read to its end

	number   int // of the last row
	rules    lead.Rules
	source   string
	chatbot  id.UUID
	csv      *csv // nil: it is NDJSON
	fields   []field
	exported bool // it is an export, whose cells are guarded
	lead     *lead.Gatherer
}

// ErrBlank says that nothing but blank rows came for a while: who reads on may note first where it stands, at Offset.
var ErrBlank = errors.New("blank rows only")

// blankMost is how many bytes of blank rows one Read passes.
const blankMost = 256 << 10

// bufSize leaves room for reading ahead of the longest row.
const bufSize = 4 * MaxRow

// NewReader reads the file of an import on from its Position, where src begins, with row Rows+1.
func NewReader(src io.Reader, imp *Import, rules lead.Rules) (*Reader, error) {
	r := &Reader{src: src, buf: make([]byte, bufSize), at: imp.Position, number: imp.Rows, rules: rules,
		source: imp.Options.Source, exported: imp.Options.Exported, lead: lead.NewGatherer(rules)}
	if text := imp.Options.ChatbotID; text != "" {
		var err error
		if r.chatbot, err = id.Chatbot.Parse(text); err != nil {
			return nil, fmt.Errorf("options of the import: chatbot: %w", err)
		}
	}
	if imp.Format == CSV {
		if len(imp.Options.Delimiter) != 1 {
			return nil, errors.New("options of the import: no delimiter")
		}
		r.csv = newCSV(&imp.Options)
		r.fields = fieldsOf(imp.Options.Columns)
	}
	return r, nil
}

// Read returns the next row; io.EOF after the last, ErrBlank where it was not come to yet. Any other error that is not
// of the source says why the file cannot be read on; see Broken.
func (r *Reader) Read() (Row, error) {
	for from := r.at; ; {
		if r.at-from >= blankMost {
			return Row{}, ErrBlank
		}
		if err := r.fill(MaxRow + 2); err != nil {
			return Row{}, err
		}
		if r.at == 0 && bytes.HasPrefix(r.buf[r.from:r.to], mark) {
			r.skip(len(mark))
		}
		if r.from == r.to {
			return Row{}, io.EOF
		}
		row, blank, err := r.next()
		if err != nil {
			return Row{}, err
		}
		if blank {
			continue
		}
		if r.number == MaxRows {
			return Row{}, &broken{text: fmt.Sprintf("The file has more than %d rows: the others were not imported", MaxRows)}
		}
		r.number++
		row.Number, row.End = r.number, r.at
		if row.Wrong != nil {
			row.Wrong.Row = row.Number
		}
		return row, nil
	}
}

// Offset is where the next row begins in the file.
func (r *Reader) Offset() int64 { return r.at }

// Broken reports whether err is why a file cannot be read on, as a sentence for its owner.
func Broken(err error) (reason string, ok bool) {
	var b *broken
	if errors.As(err, &b) {
		return b.Error(), true
	}
	return "", false
}

func (r *Reader) skip(n int) { r.from += n; r.at += int64(n) }

// fill sees to it that n bytes are there to be read, or all that is left.
func (r *Reader) fill(n int) error {
	if r.to-r.from >= n {
		return nil
	}
	if len(r.buf)-r.from < n {
		r.to = copy(r.buf, r.buf[r.from:r.to])
		r.from = 0
	}
	for empty := 0; r.to-r.from < n && r.ended == nil; {
		var got int
		got, r.ended = r.src.Read(r.buf[r.to:])
		r.to += got
		if got > 0 {
			empty = 0
		} else if empty++; empty > 100 && r.ended == nil {
			r.ended = io.ErrNoProgress
		}
	}
	if r.ended == io.EOF {
		return nil
	}
	return r.ended
}

// next reads one row or blank line.
func (r *Reader) next() (row Row, blank bool, err error) {
	data, last := r.buf[r.from:r.to], r.ended == io.EOF
	var n int
	if r.csv == nil {
		if n, row, blank = r.line(data, last); n == 0 {
			err = r.pass(&row)
		}
		r.skip(n)
		return row, blank, err
	}
	n = r.csv.record(data, last)
	if r.csv.long {
		return row, false, r.pass(&row)
	}
	raw := data[:n]
	r.skip(n)
	switch {
	case r.csv.open:
		row.Wrong = mistake("row", string(bytes.TrimSpace(raw[:min(len(raw), MaxName)])),
			"Must close each quote in its line: a quote inside a quoted cell is written twice")
	case !slices.ContainsFunc(r.csv.cells, filled):
		return row, true, nil
	case !utf8.Valid(raw):
		row.Wrong = mistake("row", "", "Must be text of the file's charset: a character of this row is none. "+
			"Say with charset= which one it is")
	default:
		r.cells(&row, r.csv.cells)
	}
	return row, false, nil
}

// filled reports whether there is anything to see in a cell.
func filled(cell string) bool {
	if cell == "" {
		return false
	}
	if b := cell[0]; b > ' ' && b < utf8.RuneSelf {
		return true
	}
	return strings.ContainsFunc(cell, visible)
}

// visible reports whether a character shows something; the end-of-file mark of DOS, for one, does not.
func visible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// pass skips a row that is longer than MaxRow.
func (r *Reader) pass(row *Row) error {
	row.Wrong = mistake("row", "", fmt.Sprintf("Must be at most %d bytes", MaxRow))
	ends := "\n"
	if r.csv != nil {
		ends = "\r\n"
	}
	for passed := 0; passed <= maxSkip; {
		if err := r.fill(1); err != nil {
			return err
		}
		data := r.buf[r.from:r.to]
		if i := bytes.IndexAny(data, ends); i >= 0 {
			r.skip(i + 1)
			return nil
		}
		passed += len(data)
		r.skip(len(data))
		if r.ended == io.EOF {
			return nil
		}
	}
	return &broken{row: r.number + 1, text: fmt.Sprintf("it is longer than %d bytes: this is no list of rows", maxSkip)}
}

// mistake is one of a row that breaks the rules of leads.
func mistake(field, value, message string) *Mistake {
	return &Mistake{Code: string(fault.Validation), Field: clean(field), Value: clean(value), Message: message}
}

// clean makes text fit to be kept: short, and what Postgres can hold.
func clean(text string) string {
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	return fault.Truncate(strings.ToValidUTF8(text, "\uFFFD"))
}
