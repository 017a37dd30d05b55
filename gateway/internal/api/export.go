package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"net/http"
	"strings"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// Limits of exports.
const (
	maxExports = 2       // of a workspace at a time, at a gateway
	allExports = 16      // at a gateway
	exportSize = 6 << 20 // bytes of memory: a page of pg.PageBytes, and its text
)

// exportStyleParams are those that say how an export is written.
var exportStyleParams = []string{"format", "bom", "plain", "delimiter"}

// exportFormat is how an export is written.
type exportFormat struct {
	name, mediaType string
	csv             csvStyle
}

// exportFormat reads how an export is wanted.
func (q *params) exportFormat() exportFormat {
	f := exportFormat{name: cmp.Or(q.choice("format", "csv", "ndjson"), "csv"), mediaType: "text/csv; charset=utf-8"}
	if f.name == "ndjson" {
		f.mediaType = "application/x-ndjson"
	}
	f.csv = q.csvStyle(f.name)
	return f
}

// csvStyle is how a CSV file is written.
type csvStyle struct {
	delimiter byte
	bom       bool // it begins with a byte order mark, without which Excel takes it for text of its own charset
	plain     bool // cells are as they are, for programs: a spreadsheet may take them for formulas
}

// csvStyle reads how a CSV file is wanted.
func (q *params) csvStyle(format string) csvStyle {
	s := csvStyle{delimiter: ',', bom: q.bool("bom"), plain: q.bool("plain")}
	if q.Has("delimiter") {
		if s.delimiter = 0; len(q.Get("delimiter")) == 1 && strings.Contains(",;|\t", q.Get("delimiter")) {
			s.delimiter = q.Get("delimiter")[0]
		} else {
			q.addError("delimiter", "Must be one of , ; | or a tab (%09)")
		}
	}
	for _, name := range []string{"bom", "plain", "delimiter"} {
		if format != "csv" && q.Has(name) {
			q.addError(name, "Must not be given: only a CSV file has it")
		}
	}
	return s
}

// exportWriter writes rows into a buffer; head comes before the first one.
type exportWriter[T any] interface {
	head() []byte
	rows(all []T) ([]byte, error)
}

// export is one under way.
type export[T any] struct {
	api  *api
	r    *http.Request
	p    *tenant.Principal
	noun string // of the rows: "leads"
	out  exportWriter[T]
	// read reads the next page; last: there is no other.
	read func(ctx context.Context) (rows []T, last bool, err error)

	transfer *transfer
	written  int
}

// answer streams all rows. What is wrong with the request is told by the first page, while there still can be an answer
// that tells it. When it cannot go on it breaks the connection off, so that nobody takes a part for the whole.
func (e *export[T]) answer(w http.ResponseWriter, f exportFormat) error {
	transfer, done, err := e.api.exports.take(e.p.Payer(), interruptWrite(w))
	if err != nil {
		return err
	}
	defer done()
	if err := httpx.Charge(e.r, exportSize); err != nil {
		return err
	}
	e.transfer = transfer
	rows, last, err := e.page()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", f.mediaType)
	file := e.noun + "-" + e.api.Now().UTC().Format("20060102-150405") + "." + f.name
	h.Set("Content-Disposition", `attachment; filename="`+file+`"`)
	w.WriteHeader(http.StatusOK)
	if e.r.Method == http.MethodHead {
		return nil
	}
	if err := e.stream(w, rows, last); err != nil {
		httpx.AddLogField(e.r, "export", err.Error())
		panic(http.ErrAbortHandler)
	}
	httpx.AddLogField(e.r, e.noun, e.written)
	return nil
}

// page reads the next page. It takes a turn among the expensive reads for it and not longer: a client that reads slowly
// keeps nobody else waiting.
func (e *export[T]) page() (rows []T, last bool, err error) {
	done, err := e.api.reads.acquire(e.r.Context(), e.p.Payer())
	if err != nil {
		return nil, false, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(e.r.Context(), 2*readTimeout)
	defer cancel()
	return e.read(ctx)
}

// stream writes page after page, beginning with rows.
func (e *export[T]) stream(w http.ResponseWriter, rows []T, last bool) error {
	if err := e.transfer.send(w, e.out.head()); err != nil {
		return err
	}
	for {
		text, err := e.out.rows(rows)
		if err != nil {
			return err
		}
		if err := e.transfer.send(w, text); err != nil {
			return err
		}
		e.written += len(rows)
		if last {
			return nil
		}
		if rows, last, err = e.page(); err != nil {
			return err
		}
	}
}

// csvExport is RFC 4180 with a head; no cell of it is a formula, unless it is plain.
type csvExport[T any] struct {
	csvStyle
	columns []string
	row     func(x *csvExport[T], one *T) []string
	buf     bytes.Buffer
	csv     *csv.Writer
}

func newCSVExport[T any](s csvStyle, columns string, row func(x *csvExport[T], one *T) []string) *csvExport[T] {
	x := &csvExport[T]{csvStyle: s, columns: strings.Split(columns, ","), row: row}
	x.csv = csv.NewWriter(&x.buf)
	x.csv.Comma = rune(s.delimiter)
	return x
}

func (x *csvExport[T]) head() []byte {
	names := strings.Join(x.columns, string(rune(x.delimiter))) + "\n"
	if x.bom {
		names = "\uFEFF" + names
	}
	return []byte(names)
}

func (x *csvExport[T]) rows(all []T) ([]byte, error) {
	x.buf.Reset()
	for i := range all {
		if err := x.csv.Write(x.row(x, &all[i])); err != nil {
			return nil, err
		}
	}
	x.csv.Flush()
	return x.buf.Bytes(), x.csv.Error()
}

func (x *csvExport[T]) cell(text string) string {
	if x.plain {
		return text
	}
	return lead.SafeCell(text, x.delimiter)
}

// ndjsonExport is a row as JSON a line.
type ndjsonExport[T any] struct {
	append func(dst []byte, one *T) ([]byte, error)
	buf    []byte
}

func (x *ndjsonExport[T]) head() []byte { return nil }

func (x *ndjsonExport[T]) rows(all []T) (text []byte, err error) {
	x.buf = x.buf[:0]
	for i := range all {
		from := len(x.buf)
		if x.buf, err = x.append(x.buf, &all[i]); err != nil {
			return nil, err
		}
		oneLine(x.buf[from:])
		x.buf = append(x.buf, '\n')
	}
	return x.buf, nil
}

// oneLine makes spaces of the line ends between values that are as they came; in strings there are none.
func oneLine(text []byte) {
	for i, c := range text {
		if c == '\n' || c == '\r' {
			text[i] = ' '
		}
	}
}
