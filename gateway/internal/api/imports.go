package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"math"
	"net/http"
	"strconv"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/tenant"
)

// importView is an import as the API shows it.
type importView struct {
	ID         string        `json:"id"`
	State      string        `json:"state"`
	Format     string        `json:"format"`
	Bytes      int64         `json:"bytes"`
	Position   int64         `json:"position"`
	Progress   float64       `json:"progress"`
	Rows       int           `json:"rows"`
	Created    int           `json:"created"`
	Updated    int           `json:"updated"`
	Duplicates int           `json:"duplicates"`
	Rejected   int           `json:"rejected"`
	Warnings   int           `json:"warnings"`
	Reason     *string       `json:"reason"`
	CreatedAt  string        `json:"createdAt"`
	UpdatedAt  string        `json:"updatedAt"`
	FinishedAt *string       `json:"finishedAt"`
	Detected   *detectedView `json:"detected"`
}

func showImport(i leadfile.Import) importView {
	position := i.Position
	if i.State == leadfile.Uploading { // its header was read, and no more than that
		position = 0
	}
	return importView{
		ID: id.Import.Format(i.ID), State: string(i.State), Format: string(i.Format), Bytes: i.Bytes, Position: position,
		Progress: importProgress(i),
		Rows:     i.Rows, Created: i.Created, Updated: i.Updated, Duplicates: i.Duplicates, Rejected: i.Rejected,
		Warnings: i.Warnings, Detected: showDetected(&i),
		Reason:    optional(i.Reason),
		CreatedAt: stamp(i.CreatedAt), UpdatedAt: stamp(i.UpdatedAt), FinishedAt: optionalStamp(i.FinishedAt),
	}
}

// importProgress is how much of a file was worked on, from 0 to 1, to a thousandth.
func importProgress(i leadfile.Import) float64 {
	switch {
	case i.State == leadfile.Done:
		return 1
	case i.State == leadfile.Uploading || i.Rows == 0 || i.Bytes == 0:
		return 0
	}
	return math.Floor(min(1, float64(i.Position)/float64(i.Bytes))*1000) / 1000
}

// getImport answers an import and its progress.
func (a *api) getImport(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	return get(id.Import, a.DB.GetImport, showImport)(w, r, p)
}

// listImports answers the workspace's imports, newest first.
func (a *api) listImports(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	idOf := func(i leadfile.Import) id.UUID { return i.ID }
	brief := func(i leadfile.Import) importView {
		v := showImport(i)
		if v.Detected != nil {
			v.Detected.Columns = nil // a page of them would be large
		}
		return v
	}
	return list(id.Import, a.DB.ListImports, brief, idOf)(w, r, p)
}

// cancelImport ends an import; the leads it made stay. Cancelling again changes nothing; an import that has ended is a
// CONFLICT. The worker deletes the file with its next batch, or upkeep does.
func (a *api) cancelImport(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	return change(id.Import, a.DB.CancelImport, showImport)(w, r, p)
}

const reportSize = 2 << 20 // bytes of memory: a page of a report, and its text

// getImportErrors streams why rows of an import made no lead, or what was odd about them, as CSV that no spreadsheet
// takes for formulas. An import that runs has the rows so far. When it cannot go on, the answer breaks off: a report
// that ends early must not look like a whole one.
func (a *api) getImportErrors(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	if err := requireHTTP11(r); err != nil {
		return err
	}
	wanted, err := pathID(r, id.Import)
	if err != nil {
		return err
	}
	if err := httpx.Charge(r, reportSize); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	if _, err := a.DB.GetImport(ctx, p.WorkspaceID, wanted); err != nil {
		return err
	}
	page := func(after int) ([]leadfile.Mistake, error) { // it has its turn, and no longer: not while the client reads
		done, err := a.reads.acquire(r.Context(), p.Payer())
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
	transfer, out := newTransfer(p.Payer(), a.TransferWindow, nil), csv.NewWriter(&text)
	out.Write([]string{"row", "code", "field", "value", "message"}) // a buffer takes everything
	for {
		for _, m := range mistakes {
			out.Write([]string{strconv.Itoa(m.Row), m.Code, lead.SafeCell(m.Field, ','), lead.SafeCell(m.Value, ','),
				lead.SafeCell(m.Message, ',')})
		}
		out.Flush()
		if err := transfer.send(w, text.Bytes()); err != nil {
			httpx.AddLogField(r, "report", err.Error())
			panic(http.ErrAbortHandler)
		}
		if len(mistakes) == 0 || r.Method == http.MethodHead {
			return nil
		}
		text.Reset()
		if mistakes, err = page(mistakes[len(mistakes)-1].Row); err != nil {
			httpx.AddLogField(r, "report", err.Error())
			panic(http.ErrAbortHandler)
		}
	}
}
