package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
	"leadgate/shared/strictjson"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

var importParams = []string{"format", "mapping", "chatbotId", "source", "onDuplicate", "events"}

// createImport takes a file of leads in. It is stored piece by piece as it comes, and 202 says that all of it is there.
// Everything that the parameters and the header can tell is told before anything is stored.
func (a *api) createImport(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	w.Header().Set("Connection", "close") // of a body that stays unread
	if err := refuseKey(r); err != nil {
		return err
	}
	imp, mapping, err := readImport(r)
	if err != nil {
		return err
	}
	if name := imp.Options.ChatbotID; name != "" {
		chatbot, _ := id.Chatbot.Parse(name) // it was checked
		ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
		defer cancel()
		if err := a.Auth.Chatbot(ctx, p.WorkspaceID, chatbot); err != nil {
			return err
		}
	}
	transfer, done, err := a.uploads.take(p.WorkspaceID, interruptRead(w))
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
	first, err := up.piece()
	if err != nil {
		return err
	}
	if err := readStart(&imp, mapping, first); err != nil {
		return err
	}
	now := a.now()
	imp.WorkspaceID, imp.ID, imp.CreatedAt = p.WorkspaceID, id.New(), now
	made, err := up.store(&imp, first)
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

// readImport reads what the head of the request says about the file.
func readImport(r *http.Request) (imp leadfile.Import, m leadfile.Mapping, err error) {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return imp, nil, fault.New(fault.MediaType, "Content-Encoding is not supported; send the file uncompressed")
	}
	q := readParams(r)
	if imp.Format, err = q.format(r.Header.Get("Content-Type")); err != nil {
		return imp, nil, err
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
	return imp, q.mapping(imp.Format), q.err()
}

// format is the file's, by the parameter or by the Content-Type.
func (q *params) format(contentType string) (leadfile.Format, error) {
	media, extra, err := mime.ParseMediaType(contentType)
	if charset := extra["charset"]; err == nil && charset != "" && !strings.EqualFold(charset, "utf-8") &&
		!strings.EqualFold(charset, "us-ascii") {
		return "", fault.New(fault.MediaType, "The file must be in UTF-8")
	}
	said := map[string]leadfile.Format{
		"text/csv": leadfile.CSV, "text/tab-separated-values": leadfile.CSV, "application/csv": leadfile.CSV,
		"application/x-ndjson": leadfile.NDJSON, "application/ndjson": leadfile.NDJSON, "application/jsonl": leadfile.NDJSON,
		"application/x-jsonlines": leadfile.NDJSON,
	}[media]
	if !q.Has("format") {
		if said == "" {
			return "", fault.New(fault.MediaType, "Content-Type must be text/csv or application/x-ndjson")
		}
		return said, nil
	}
	format := leadfile.Format(q.choice("format", string(leadfile.CSV), string(leadfile.NDJSON)))
	if format != "" && said != "" && said != format {
		q.addError("format", "Must match the Content-Type, which says "+string(said))
	}
	return format, nil
}

// mapping reads where columns go that go elsewhere than their names say.
func (q *params) mapping(format leadfile.Format) (m leadfile.Mapping) {
	if !q.Has("mapping") {
		return nil
	}
	if format == leadfile.NDJSON {
		q.addError("mapping", "Must not be given: only a CSV file has columns")
		return nil
	}
	if err := json.Unmarshal([]byte(q.Get("mapping")), &m); err != nil || m == nil {
		q.addError("mapping",
			`Must be a JSON object of column names and the fields they go to, such as {"Work email":"email","Notes":"metadata.notes","Internal":null}`)
	}
	return m
}

// readStart reads how the file begins: of CSV the header.
func readStart(imp *leadfile.Import, m leadfile.Mapping, first []byte) error {
	if imp.Format == leadfile.NDJSON {
		return leadfile.CheckLines(first)
	}
	o, start, err := leadfile.ReadHeader(first, m)
	if err != nil {
		return err
	}
	imp.Options.Columns, imp.Options.Delimiter, imp.Position = o.Columns, o.Delimiter, start
	return nil
}

// Bounds of uploads at a gateway.
const (
	maxUploads  = 2               // of a workspace at a time
	allUploads  = 8               // of all: each has a piece in memory
	uploadPiece = 1 << 20         // bytes
	uploadSize  = 3 * uploadPiece // bytes of memory: a piece, and what is sent to Postgres of it
	answerTime  = time.Minute     // for the answer, once the file is there
	storeTime   = 10 * time.Second
)

// upload is a file that comes in.
type upload struct {
	*api
	r        *http.Request
	control  *http.ResponseController
	buf      []byte
	size     int64 // so far
	ended    bool  // all of it is there
	transfer *transfer
}

func (a *api) newUpload(w http.ResponseWriter, r *http.Request, t *transfer) (*upload, error) {
	if r.ContentLength > leadfile.MaxBytes {
		return nil, fileTooLarge()
	}
	return &upload{api: a, r: r, control: http.NewResponseController(w), buf: make([]byte, uploadPiece),
		transfer: t}, nil
}

func fileTooLarge() error {
	return fault.New(fault.TooLarge, fmt.Sprintf("The file is larger than %d MiB", leadfile.MaxBytes>>20))
}

// piece reads the next piece, which is valid until the one after it, from a client that keeps the minimum rate. The
// answer has time of its own after it.
func (u *upload) piece() ([]byte, error) {
	until := func(end time.Time) error {
		return errors.Join(u.control.SetReadDeadline(end), u.control.SetWriteDeadline(end.Add(answerTime)))
	}
	n := 0
	for n < len(u.buf) && !u.ended {
		got, err := u.transfer.move(until, func() (int, error) { return u.r.Body.Read(u.buf[n:]) })
		n += got
		switch {
		case err == io.EOF:
			u.ended = true
		case err != nil:
			return nil, brokenUpload(err)
		}
	}
	if u.size += int64(n); u.size > leadfile.MaxBytes {
		return nil, fileTooLarge()
	}
	return u.buf[:n], nil
}

// brokenUpload tells a file that came too slowly from one that ended too early. The connection's own error also tells
// the client's address.
func brokenUpload(err error) error {
	if fault.Is(err, fault.Unavailable) { // it gave way
		return err
	}
	f := fault.InvalidField("body", nil, "The file broke off before its end")
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f = fault.New(fault.Timeout,
			fmt.Sprintf("The file arrived too slowly: send at least %d KiB per second, and all of it within an hour",
				minTransferRate>>10))
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	f.Cause = err
	return f
}

// store keeps the import and its file, of which first was read. What breaks off leaves a failed import and no file.
func (u *upload) store(imp *leadfile.Import, first []byte) (made leadfile.Import, err error) {
	ctx, cancel := context.WithTimeout(u.r.Context(), storeTime)
	defer cancel()
	if err := u.DB.CreateImport(ctx, *imp); err != nil {
		return made, err
	}
	if made, err = u.pieces(imp, first); err == nil {
		return made, nil
	}
	reason := leadfile.UploadBrokeOff
	if fault.Is(err, fault.TooLarge) || u.transfer.gaveWay.Load() != nil {
		reason = fault.From(err).Public
	}
	ctx, cancel = context.WithTimeout(u.r.Context(), storeTime)
	defer cancel()
	if failed := u.DB.FailUpload(ctx, imp.WorkspaceID, imp.ID, reason); failed != nil {
		httpx.AddLogField(u.r, "fail_upload", failed.Error()) // upkeep does it
	}
	return made, err
}

func (u *upload) pieces(imp *leadfile.Import, data []byte) (made leadfile.Import, err error) {
	for start := int64(0); len(data) > 0; {
		if err := u.keep(imp, start, data); err != nil {
			return made, err
		}
		start += int64(len(data))
		if u.ended {
			break
		}
		if data, err = u.piece(); err != nil {
			return made, err
		}
	}
	ctx, cancel := context.WithTimeout(u.r.Context(), storeTime)
	defer cancel()
	httpx.AddLogField(u.r, "file_bytes", u.size)
	return u.DB.CompleteImport(ctx, imp.WorkspaceID, imp.ID)
}

func (u *upload) keep(imp *leadfile.Import, start int64, data []byte) error {
	ctx, cancel := context.WithTimeout(u.r.Context(), storeTime)
	defer cancel()
	if err := u.DB.AddImportChunk(ctx, imp.WorkspaceID, imp.ID, start, data); err != nil {
		return fmt.Errorf("import %s: %w", id.Import.Format(imp.ID), err)
	}
	return nil
}
