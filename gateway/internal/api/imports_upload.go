package api

import (
	"cmp"
	"context"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/leadfile/decode"
	"leadgate/shared/strictjson"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

var importParams = []string{"format", "charset", "sheet", "delimiter", "quote", "header", "mapping", "chatbotId", "source",
	"onDuplicate", "events", "dryRun"}

// importRequest is what the head of a request says of a file.
type importRequest struct {
	leadfile.Import // without a format: its content tells
	said            leadfile.Said
	decode          decode.Options
	multipart       string // its boundary; "": the body is the file
	dryRun          bool
}

// createImport takes a file of leads in. It is stored piece by piece as it comes, and 202 says that all of it is there.
// Everything that the parameters and the header can tell is told before anything is stored.
func (a *api) createImport(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	w.Header().Set("Connection", "close") // of a body that stays unread
	if err := refuseKey(r); err != nil {
		return err
	}
	imp, err := a.readImport(r, p, readParams(r))
	if err != nil {
		return err
	}
	transfer, done, err := a.uploads.take(p.Payer(), interruptRead(w))
	if err != nil {
		return err
	}
	defer done()
	if err := httpx.Charge(r, uploadSize); err != nil {
		return err
	}
	up, err := a.newUpload(w, r, transfer)
	if err != nil {
		return err
	}
	if imp.multipart != "" {
		if imp, err = up.openForm(p, imp.multipart); err != nil {
			return err
		}
	}
	imp.decode.Others = func(names []string) { imp.said.OtherSheets = names }
	found, err := up.open(imp.decode)
	if err != nil {
		return err
	}
	first, err := up.piece()
	if err != nil {
		return err
	}
	if err := imp.readStart(first); err != nil {
		return err
	}
	imp.Options.Found = &found
	if imp.dryRun {
		return up.preview(w, &imp, p.Settings.Rules(), first)
	}
	now := a.now()
	imp.WorkspaceID, imp.ID, imp.CreatedAt = p.WorkspaceID, id.New(), now
	made, err := up.store(&imp.Import, first)
	if err != nil {
		return err
	}
	w.Header().Del("Connection")
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	a.wake(r.WithContext(ctx), task.Import(p.WorkspaceID, imp.ID))
	shown := showImport(made)
	httpx.AddLogField(r, "import", shown.ID)
	locate(w, "/api/v1/imports/", shown.ID)
	return httpx.Data(w, http.StatusAccepted, shown)
}

// refuseKey refuses what would not be kept: an upload can take longer than a key is left to who has it.
func refuseKey(r *http.Request) error {
	key := r.Header.Get("Idempotency-Key")
	if _, given := r.Header["Idempotency-Key"]; !given {
		return nil
	}
	return fault.InvalidField("Idempotency-Key", fault.Truncate(strings.ToValidUTF8(key, "?")),
		"Must not be given with a file. Before you upload it again, check in GET /api/v1/imports whether it arrived; "+
			"importing a row twice is safe, because onDuplicate decides what happens to it")
}

// readImport reads what the head of the request says about the file, and q, which may have fields of a form too.
func (a *api) readImport(r *http.Request, p *tenant.Principal, q *params) (imp importRequest, err error) {
	switch enc := strings.ToLower(r.Header.Get("Content-Encoding")); enc {
	case "", "identity", "gzip", "x-gzip": // the file itself tells
	default:
		return imp, fault.New(fault.MediaType, "Content-Encoding is not supported; send the file as it is, or with gzip")
	}
	if err := imp.readType(q, r.Header.Get("Content-Type")); err != nil {
		return imp, err
	}
	o := &imp.Options
	if chatbot := q.id("chatbotId", id.Chatbot); chatbot != (id.UUID{}) {
		o.ChatbotID = id.Chatbot.Format(chatbot)
	}
	o.Source = q.text("source", lead.MaxSource)
	if problem := strictjson.CheckText(o.Source, lead.MaxSource); problem != "" {
		q.addError("source", problem)
	}
	o.OnDuplicate = cmp.Or(lead.OnDuplicate(q.choice("onDuplicate", texts(lead.OnDuplicates())...)), lead.RefuseDuplicate)
	o.Quiet = q.Has("events") && !q.bool("events")
	imp.dryRun = q.bool("dryRun")
	if name := q.text("charset", 40); name != "" {
		if imp.decode.Charset = name; !decode.KnownCharset(name) {
			q.addError("charset", decode.CharsetRule)
		}
	}
	imp.decode.Sheet = q.text("sheet", maxSheetName)
	imp.said = leadfile.Said{Mapping: q.mapping(), Delimiter: q.Get("delimiter"), Quote: q.Get("quote"),
		Header: q.Get("header"), Phones: p.Settings.Rules().Phones}
	q.invalid = append(q.invalid, imp.said.Check()...)
	if err := q.err(); err != nil || o.ChatbotID == "" {
		return imp, err
	}
	chatbot, _ := id.Chatbot.Parse(o.ChatbotID) // it was made just now
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	return imp, a.Auth.Chatbot(ctx, p.WorkspaceID, chatbot)
}

const maxSheetName = 200

// fileTypes are the media types that files of leads are sent with. Which of the formats it is, the content tells: a
// browser calls a CSV file what the operating system does, and curl calls everything a form.
var fileTypes = []string{"", "application/octet-stream", "application/x-www-form-urlencoded", "application/csv",
	"application/x-csv", "application/vnd.ms-excel", "application/msexcel", "application/excel",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/x-ndjson", "application/ndjson",
	"application/jsonl", "application/x-jsonlines", "application/json", "application/gzip", "application/x-gzip",
	"application/zip", "application/x-zip-compressed", "multipart/form-data"}

// readType reads what the Content-Type and format say. A charset counts where it is not the one that clients add by
// themselves.
func (imp *importRequest) readType(q *params, contentType string) error {
	media, extra, err := mime.ParseMediaType(contentType)
	if err != nil && contentType != "" || !slices.Contains(fileTypes, media) && !strings.HasPrefix(media, "text/") {
		return fault.New(fault.MediaType, "Content-Type must be that of a file: text/csv, application/x-ndjson, "+
			"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet, application/octet-stream, or "+
			"multipart/form-data with one file")
	}
	if name := extra["charset"]; decode.KnownCharset(name) && !decode.IsUTF8(name) {
		imp.decode.Charset = name
	}
	if media == "multipart/form-data" {
		if imp.multipart = extra["boundary"]; imp.multipart == "" {
			return fault.New(fault.MediaType, "Content-Type multipart/form-data must have a boundary")
		}
	}
	imp.Format = leadfile.Format(q.choice("format", string(leadfile.CSV), string(leadfile.NDJSON)))
	return nil
}

// mapping reads where columns go that go elsewhere than their names say.
func (q *params) mapping() (m leadfile.Mapping) {
	if !q.Has("mapping") {
		return nil
	}
	if err := json.Unmarshal([]byte(q.Get("mapping")), &m); err != nil || m == nil {
		q.addError("mapping",
			`Must be a JSON object of column names and the fields they go to, such as {"Work email":"email","Notes":"metadata.notes","Internal":null}`)
	}
	return m
}

// readStart reads how the file begins: which format it is, and of CSV the header.
func (imp *importRequest) readStart(first []byte) error {
	if imp.Format == "" {
		imp.Format = leadfile.CSV
		if leadfile.LooksLikeLines(first) {
			imp.Format = leadfile.NDJSON
		}
	}
	if imp.Format == leadfile.NDJSON {
		if imp.said.Mapping != nil {
			return fault.InvalidField("mapping", nil, "Must not be given: only a CSV file has columns")
		}
		return leadfile.CheckLines(first)
	}
	o, start, err := leadfile.ReadHeader(first, imp.said)
	if err != nil {
		return err
	}
	o.ChatbotID, o.Source, o.OnDuplicate, o.Quiet = imp.Options.ChatbotID, imp.Options.Source, imp.Options.OnDuplicate,
		imp.Options.Quiet
	imp.Options, imp.Position = o, start
	return nil
}
