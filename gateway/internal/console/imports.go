package console

import (
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"leadgate/gateway/internal/webui"
	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

const importsPath = Root + "/imports"

func importRoutes() []route {
	return []route{
		{"GET", importsPath, tenant.LeadsRead, imports, []string{"GET /api/v1/imports"}, nil},
		{"GET", importsPath + "/new", tenant.LeadsWrite, newImport, nil, nil},
		{"POST", importsPath, tenant.LeadsWrite, startImport, []string{"POST /api/v1/imports"}, newImport},
		{"GET", importsPath + "/{id}", tenant.LeadsRead, showImport, []string{"GET /api/v1/imports/{id}"}, nil},
		{"GET", importsPath + "/{id}/errors", tenant.LeadsRead, importErrors,
			[]string{"GET /api/v1/imports/{id}/errors"}, nil},
		{"POST", importsPath + "/{id}/cancel", tenant.LeadsWrite, cancelImport,
			[]string{"POST /api/v1/imports/{id}/cancel"}, showImport},
	}
}

// fileImport is an import as the API shows it.
type fileImport struct {
	ID, State, Format, Reason, CreatedAt, FinishedAt       string
	Bytes                                                  int64
	Progress                                               float64
	Rows, Created, Updated, Duplicates, Rejected, Warnings int
	Detected                                               *detected
}

// Running reports whether something can still change.
func (i fileImport) Running() bool { return i.FinishedAt == "" }

// Percent is how much is done.
func (i fileImport) Percent() int { return int(i.Progress * 100) }

type detected struct {
	Charset, Packed, Sheet, Delimiter, Quote string
	Header                                   *int
	Columns                                  []column
}

type column struct {
	Name, To string
	Rank     int
}

func imports(v *visit) error {
	var p struct {
		Imports []fileImport
		Next    string
	}
	next, err := v.list("/api/v1/imports", pick(v.r.URL.Query(), "cursor"), &p.Imports)
	if err != nil {
		return err
	}
	if next != "" {
		p.Next = "?cursor=" + url.QueryEscape(next)
	}
	return v.show("imports.html", "Imports", p)
}

// importPage is the form of a new import, with what its file would become where that was asked.
type importPage struct {
	Chatbots []chatbot
	Chosen   url.Values
	Preview  *filePreview
	Targets  []string
}

// filePreview is what a file would become.
type filePreview struct {
	Format   string
	Detected *detected
	Rows     []struct {
		Row      int
		Lead     *lead
		Warnings []webui.Mistake
		Error    *webui.Mistake
	}
}

// targets are the fields that a column can go to; other names go to metadata.
var targets = []string{"email", "name", "firstName", "lastName", "phone", "source", "status", "chatbotId", "metadata"}

func newImport(v *visit) error { return v.importForm(nil, v.form) }

func (v *visit) importForm(preview *filePreview, chosen url.Values) error {
	p := importPage{Chosen: chosen, Preview: preview, Targets: targets}
	if err := v.chatbots(&p.Chatbots); err != nil {
		return err
	}
	return v.show("import-new.html", "Import a file", p)
}

// startImport hands the file of a form on to the API as it comes in; what was asked is a preview or the import. The
// fields of the form come before its file.
func startImport(v *visit) error {
	fields, file, err := readUpload(v.r)
	if err != nil {
		return err
	}
	v.r.PostForm = fields // for the form that is shown again
	query, err := importQuery(fields)
	if err != nil {
		return err
	}
	preview := v.r.URL.Query().Get("do") == "preview"
	if preview {
		query.Set("dryRun", "true")
	}
	r, err := v.request(http.MethodPost, withQuery("/api/v1/imports", query), file)
	if err != nil {
		return err
	}
	r.ContentLength = -1
	r.Header.Set("Content-Type", "application/octet-stream")
	if preview {
		var p filePreview
		if err := v.call(r, &envelope{Data: &p}); err != nil {
			return err
		}
		return v.importForm(&p, fields)
	}
	var made fileImport
	if err := v.call(r, &envelope{Data: &made}); err != nil {
		return err
	}
	return v.done(importsPath+"/"+url.PathEscape(made.ID), "The file is here. Its rows become leads now.")
}

const (
	maxUploadFields = 400 // columns of a file, each with its target
	maxUploadField  = 4 << 10
)

// readUpload reads the fields of a form, up to its file.
func readUpload(r *http.Request) (fields url.Values, file *multipart.Part, err error) {
	fields = url.Values{}
	parts, err := r.MultipartReader()
	if err != nil {
		return fields, nil, fault.InvalidField("file", nil, "Must be a form with a file (multipart/form-data)")
	}
	for range maxUploadFields {
		part, err := parts.NextPart()
		if err != nil {
			return fields, nil, fault.InvalidField("file", nil, "Choose a file")
		}
		if part.FormName() == "file" {
			if part.FileName() == "" {
				return fields, nil, fault.InvalidField("file", nil, "Choose a file")
			}
			return fields, part, nil
		}
		text, err := io.ReadAll(io.LimitReader(part, maxUploadField+1))
		if err != nil || len(text) > maxUploadField {
			return fields, nil, fault.InvalidField(part.FormName(), nil, fmt.Sprintf("Must have at most %d bytes", maxUploadField))
		}
		fields.Add(part.FormName(), string(text))
	}
	return fields, nil, fault.InvalidField("file", nil, fmt.Sprintf("Must come after at most %d fields", maxUploadFields))
}

// importQuery are the API's parameters of what was entered. A column whose target was chosen has two fields, column
// and to, in the same order.
func importQuery(fields url.Values) (url.Values, error) {
	q := pick(fields, "charset", "sheet", "delimiter", "header", "chatbotId", "source", "onDuplicate")
	if fields.Get("quiet") != "" {
		q.Set("events", "false")
	}
	columns, to := fields["column"], fields["to"]
	mapping := map[string]*string{}
	for i := range columns {
		if i >= len(to) || to[i] == "auto" {
			continue
		}
		target := strings.TrimSpace(to[i])
		if mapping[columns[i]] = &target; target == "" {
			mapping[columns[i]] = nil
		}
	}
	if len(mapping) > 0 {
		text, err := json.Marshal(mapping)
		if err != nil {
			return nil, err
		}
		q.Set("mapping", string(text))
	}
	return q, nil
}

func showImport(v *visit) error {
	var p fileImport
	if err := v.get("/api/v1/imports/"+pathID(v), nil, &p); err != nil {
		return err
	}
	return v.show("import.html", "Import", p)
}

func importErrors(v *visit) error { return v.stream("/api/v1/imports/" + pathID(v) + "/errors") }

func cancelImport(v *visit) error {
	if err := v.send(http.MethodPost, "/api/v1/imports/"+pathID(v)+"/cancel", nil, nil); err != nil {
		return err
	}
	return v.done(importsPath+"/"+pathID(v), "The import was stopped. The leads it had made stay.")
}
