package admin

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// exportSettle is how long after a suspension an export begins at the earliest: a gateway takes a key for live for a
// second.
const exportSettle = 2 * time.Second

// exportWorkspace streams all leads and submissions of a workspace as a ZIP archive. One that breaks off has no end, and
// does not count as an export.
func (s *server) exportWorkspace(w http.ResponseWriter, r *http.Request) error {
	ws, err := workspace(r)
	if err != nil {
		return err
	}
	return Export(w, r, s.api, s.tenantsOf(r), ws)
}

// Export writes a ZIP archive of a workspace as the API exports it: leads.csv and submissions.csv, or with the parameter
// format=ndjson both as NDJSON. It is streamed, with the API's own limits of memory and time.
func Export(w http.ResponseWriter, r *http.Request, api http.Handler, service tenants.Service, ws id.UUID) error {
	format := r.URL.Query().Get("format")
	if format == "" {
		format = "csv"
	}
	if format != "csv" && format != "ndjson" {
		return fault.InvalidField("format", fault.Truncate(format), "Must be csv or ndjson")
	}
	found, err := service.DB.GetWorkspace(r.Context(), ws)
	if err != nil {
		return err
	}
	if found.Suspension != nil {
		select {
		case <-time.After(min(exportSettle, found.Suspension.At.Add(exportSettle).Sub(service.Now()))):
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	began := service.Now()
	a := &archive{ResponseWriter: w, name: id.Workspace.Format(ws) + "-" + began.UTC().Format("20060102-150405") + ".zip"}
	a.zip = zip.NewWriter(w)
	looking := auth.Counted(auth.WithPrincipal(r.Context(), &tenant.Principal{WorkspaceID: ws, TestOf: found.TestOf,
		Kind: tenant.SecretKey, Scopes: []tenant.Scope{tenant.LeadsRead}, Settings: found.Settings.WithDefaults()}))
	for _, part := range []string{"leads", "submissions"} {
		if err := a.add(looking, api, part, format); err != nil {
			if !a.begun {
				return err
			}
			httpx.AddLogField(r, "export", err.Error())
			panic(http.ErrAbortHandler) // nobody must take a part for the whole
		}
	}
	if err := a.zip.Close(); err != nil {
		panic(http.ErrAbortHandler)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	if err := service.EndExport(ctx, ws, began); err != nil {
		httpx.AddLogField(r, "export", err.Error())
		panic(http.ErrAbortHandler)
	}
	return nil
}

// archive is a ZIP file on its way to a client. It is what the API writes an export to, as a file of the archive.
type archive struct {
	http.ResponseWriter // deadlines are the client's
	zip                 *zip.Writer
	name                string
	begun               bool // the client has its headers

	file    string // that comes next
	header  http.Header
	status  int
	out     io.Writer    // of the file; nil: it has not begun
	refusal bytes.Buffer // what the API answers instead of a file
}

// add has the API export one kind of things.
func (a *archive) add(ctx context.Context, api http.Handler, part, format string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/"+part+"/export?format="+format, http.NoBody)
	if err != nil {
		return err
	}
	a.file, a.header, a.status, a.out = part+"."+format, http.Header{}, http.StatusOK, nil
	a.refusal.Reset()
	api.ServeHTTP(a, r)
	if a.status != http.StatusOK {
		return refusalOf(a.status, a.refusal.Bytes())
	}
	return a.begin()
}

// refusalOf is what the API says of an export that it does not make, such as that too many are under way.
func refusalOf(status int, text []byte) error {
	var said struct{ Error, Code string }
	if err := json.Unmarshal(text, &said); err != nil || said.Error == "" {
		return fmt.Errorf("the API answers %d", status)
	}
	return fault.New(fault.Kind(said.Code), said.Error)
}

// begin opens the file in the archive.
func (a *archive) begin() (err error) {
	if !a.begun {
		h := a.ResponseWriter.Header()
		h.Set("Content-Type", "application/zip")
		h.Set("Content-Disposition", `attachment; filename="`+a.name+`"`)
		a.ResponseWriter.WriteHeader(http.StatusOK)
		a.begun = true
	}
	if a.out == nil {
		a.out, err = a.zip.CreateHeader(&zip.FileHeader{Name: a.file, Method: zip.Deflate, Modified: time.Now()})
	}
	return err
}

// Header is that of the API's answer.
func (a *archive) Header() http.Header { return a.header }

// WriteHeader notes the API's status.
func (a *archive) WriteHeader(status int) { a.status = status }

// Write compresses what the API writes.
func (a *archive) Write(text []byte) (int, error) {
	if a.status != http.StatusOK {
		return a.refusal.Write(text)
	}
	if err := a.begin(); err != nil {
		return 0, err
	}
	return a.out.Write(text)
}

// FlushError sends what is compressed so far.
func (a *archive) FlushError() error {
	if a.out == nil {
		return nil
	}
	if err := a.zip.Flush(); err != nil {
		return err
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for deadlines.
func (a *archive) Unwrap() http.ResponseWriter { return a.ResponseWriter }
