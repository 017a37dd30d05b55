package api

import (
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/sheet"
	"leadgate/shared/tenant"
)

// pageTime is how long a client may take for a page of a stream, before it is given up.
const pageTime = time.Minute

// getImportErrors streams why rows of an import made no lead, as CSV that no spreadsheet takes for formulas. An import that runs has the rows so far.
// When it cannot go on, the answer breaks off: a report that ends early must not look like a whole one.
func (a *api) getImportErrors(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := importID(r)
	if err != nil {
		return err
	}
	page := func(after int) ([]sheet.Mistake, error) {
		ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
		defer cancel()
		return a.DB.ImportErrors(ctx, p.WorkspaceID, wanted, after)
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	if _, err := a.DB.GetImport(ctx, p.WorkspaceID, wanted); err != nil {
		return err
	}
	mistakes, err := page(0)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+id.Import.Format(wanted)+`-errors.csv"`)
	control := http.NewResponseController(w)
	out := csv.NewWriter(w)
	out.Write([]string{"row", "code", "field", "value", "message"}) // its errors are Flush's
	for len(mistakes) > 0 {
		control.SetWriteDeadline(time.Now().Add(pageTime))
		for _, m := range mistakes {
			out.Write([]string{strconv.Itoa(m.Row), m.Code, lead.SafeCell(m.Field), lead.SafeCell(m.Value), lead.SafeCell(m.Message)})
		}
		if out.Flush(); out.Error() != nil || r.Method == http.MethodHead {
			return nil // the client has left, or wants no more
		}
		if mistakes, err = page(mistakes[len(mistakes)-1].Row); err != nil {
			httpx.Note(r, "report", err.Error())
			panic(http.ErrAbortHandler)
		}
	}
	out.Flush()
	return nil
}
