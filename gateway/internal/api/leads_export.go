package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"net/http"
	"strings"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// Limits of exports.
const (
	maxExports = 2       // of a workspace at a time, at a gateway
	allExports = 16      // at a gateway
	exportPage = 2000    // leads read at a time
	exportSize = 6 << 20 // bytes of memory: a page of pg.PageBytes, and its text
)

// exportFormats are how an export can be written.
var exportFormats = map[string]struct {
	mediaType string
	make      func(csvStyle) exportWriter
}{
	"csv":    {"text/csv; charset=utf-8", func(s csvStyle) exportWriter { return newCSVExport(s) }},
	"ndjson": {"application/x-ndjson", func(csvStyle) exportWriter { return &ndjsonExport{} }},
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

// exportWriter writes leads into a buffer; head comes before the first one.
type exportWriter interface {
	head() []byte
	rows(leads []lead.Lead) ([]byte, error)
	facts() bool // it shows what enrichment found out
}

// exportLeads streams the leads that the parameters pick and that exist now, the oldest first. When it cannot go on it
// breaks the connection off, so that nobody takes a part for the whole.
func (a *api) exportLeads(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	if err := requireHTTP11(r); err != nil {
		return err
	}
	params := readParams(r)
	q := params.leadFilter(p)
	name := cmp.Or(params.choice("format", "csv", "ndjson"), "csv")
	format, style := exportFormats[name], params.csvStyle(name)
	if err := params.err(); err != nil {
		return err
	}
	if err := a.knowsStatuses(r, p, q); err != nil {
		return err
	}
	transfer, done, err := a.exports.take(p.Payer(), interruptWrite(w))
	if err != nil {
		return err
	}
	defer done()
	if err := httpx.Charge(r, exportSize); err != nil {
		return err
	}
	out := format.make(style)
	q.Sort, q.Limit, q.Facts = pg.LeadSort{Ascending: true}, exportPage, out.facts()
	q.State = &pg.ListState{}
	e := &export{api: a, w: w, r: r, p: p, q: q, transfer: transfer}
	leads, err := e.begin()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", format.mediaType)
	h.Set("Content-Disposition", `attachment; filename="leads-`+a.Now().UTC().Format("20060102-150405")+"."+name+`"`)
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if err := e.stream(out, leads); err != nil {
		httpx.AddLogField(r, "export", err.Error())
		panic(http.ErrAbortHandler)
	}
	httpx.AddLogField(r, "leads", e.written)
	return nil
}

// export is one under way.
type export struct {
	api      *api
	w        http.ResponseWriter
	r        *http.Request
	p        *tenant.Principal
	q        pg.LeadQuery
	transfer *transfer
	last     bool // the page that was read is the last one
	written  int
}

// begin sets where the export ends and reads its first page, while there still can be an answer that tells what is
// wrong.
func (e *export) begin() (leads []lead.Lead, err error) {
	ctx, cancel := context.WithTimeout(e.r.Context(), readTimeout)
	defer cancel()
	if e.q.Last, err = e.api.DB.NewestLead(ctx, e.p.WorkspaceID); err != nil {
		return nil, err
	}
	if e.q.Last == (id.UUID{}) {
		e.last = true
		return nil, e.api.knowsChatbot(e.r, e.p, e.q.ChatbotID)
	}
	if leads, err = e.page(); err == nil && e.last && len(leads) == 0 {
		err = e.api.knowsChatbot(e.r, e.p, e.q.ChatbotID)
	}
	return leads, err
}

// page reads the next page. It takes a turn among the expensive reads for it and not longer: a client that reads slowly
// keeps nobody else waiting.
func (e *export) page() ([]lead.Lead, error) {
	done, err := e.api.reads.acquire(e.r.Context(), e.p.Payer())
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(e.r.Context(), 2*readTimeout)
	defer cancel()
	leads, next, err := e.api.DB.FindLeads(ctx, e.p.WorkspaceID, e.q)
	e.q.After, e.last = next, next == pg.LeadKey{}
	return leads, err
}

// stream writes page after page, beginning with leads.
func (e *export) stream(out exportWriter, leads []lead.Lead) error {
	if err := e.transfer.send(e.w, out.head()); err != nil {
		return err
	}
	for {
		text, err := out.rows(leads)
		if err != nil {
			return err
		}
		if err := e.transfer.send(e.w, text); err != nil {
			return err
		}
		e.written += len(leads)
		if e.last {
			return nil
		}
		if leads, err = e.page(); err != nil {
			return err
		}
	}
}

// csvExport is RFC 4180 with a head; no cell of it is a formula, unless it is plain.
type csvExport struct {
	csvStyle
	buf bytes.Buffer
	csv *csv.Writer
}

func newCSVExport(s csvStyle) *csvExport {
	x := &csvExport{csvStyle: s}
	x.csv = csv.NewWriter(&x.buf)
	x.csv.Comma = rune(s.delimiter)
	return x
}

func (x *csvExport) facts() bool { return false }

func (x *csvExport) head() []byte {
	names := "id,name,email,phone,source,status,chatbotId,createdAt,updatedAt,metadata\n"
	names = strings.ReplaceAll(names, ",", string(rune(x.delimiter)))
	if x.bom {
		names = "\uFEFF" + names
	}
	return []byte(names)
}

func (x *csvExport) rows(leads []lead.Lead) ([]byte, error) {
	x.buf.Reset()
	for i := range leads {
		l := &leads[i]
		chatbot := ""
		if l.ChatbotID != (id.UUID{}) {
			chatbot = id.Chatbot.Format(l.ChatbotID)
		}
		err := x.csv.Write([]string{
			id.Lead.Format(l.ID), x.cell(l.Name), x.cell(l.Email), x.cell(l.Phone), x.cell(l.Source), x.cell(l.Status),
			chatbot, stamp(l.CreatedAt), stamp(l.UpdatedAt), x.cell(string(l.Metadata)),
		})
		if err != nil {
			return nil, err
		}
	}
	x.csv.Flush()
	return x.buf.Bytes(), x.csv.Error()
}

func (x *csvExport) cell(text string) string {
	if x.plain {
		return text
	}
	return lead.SafeCell(text, x.delimiter)
}

// ndjsonExport is a lead a line, as the list shows it.
type ndjsonExport struct{ buf []byte }

func (x *ndjsonExport) facts() bool { return true }

func (x *ndjsonExport) head() []byte { return nil }

func (x *ndjsonExport) rows(leads []lead.Lead) ([]byte, error) {
	x.buf = x.buf[:0]
	for i := range leads {
		from := len(x.buf)
		x.buf = leads[i].AppendJSON(x.buf, true)
		oneLine(x.buf[from:])
		x.buf = append(x.buf, '\n')
	}
	return x.buf, nil
}

// oneLine makes spaces of the line ends between a lead's metadata, which are as they came; in strings there are none.
func oneLine(text []byte) {
	for i, c := range text {
		if c == '\n' || c == '\r' {
			text[i] = ' '
		}
	}
}
