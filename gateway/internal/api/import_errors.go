package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"strconv"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/tenant"
)

// getImportErrors streams why rows of an import made no lead, as CSV that no spreadsheet takes for formulas. An import that runs has the rows so far.
// When it cannot go on, the answer breaks off: a report that ends early must not look like a whole one.
func (a *api) getImportErrors(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	if err := wholeStream(r); err != nil {
		return err
	}
	wanted, err := importID(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	if _, err := a.DB.GetImport(ctx, p.WorkspaceID, wanted); err != nil {
		return err
	}
	page := func(after int) ([]leadfile.Mistake, error) { // it has its turn, and no longer: not while the client reads
		done, err := a.reads.turn(r.Context(), p.WorkspaceID)
		if err != nil {
			return nil, err
		}
		defer done()
		ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
		defer cancel()
		return a.DB.ImportErrors(ctx, p.WorkspaceID, wanted, after)
	}
	mistakes, err := page(0)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+id.Import.Format(wanted)+`-errors.csv"`)
	var text bytes.Buffer
	pace, out := a.newPace(), csv.NewWriter(&text)
	out.Write([]string{"row", "code", "field", "value", "message"}) // a buffer takes everything
	for {
		for _, m := range mistakes {
			out.Write([]string{strconv.Itoa(m.Row), m.Code, lead.SafeCell(m.Field), lead.SafeCell(m.Value), lead.SafeCell(m.Message)})
		}
		out.Flush()
		if err := pace.send(w, text.Bytes()); err != nil {
			httpx.Note(r, "report", err.Error())
			panic(http.ErrAbortHandler)
		}
		if len(mistakes) == 0 || r.Method == http.MethodHead {
			return nil
		}
		text.Reset()
		if mistakes, err = page(mistakes[len(mistakes)-1].Row); err != nil {
			httpx.Note(r, "report", err.Error())
			panic(http.ErrAbortHandler)
		}
	}
}
