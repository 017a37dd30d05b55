package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/leadfile"
	"leadgate/shared/leadfile/decode"
)

// Bounds of uploads at a gateway.
const (
	maxUploads = 2                 // of a workspace at a time
	allUploads = 8                 // of all: each has a piece in memory
	uploadSize = 4 * decode.Sample // bytes of memory: what its charset is found by, a piece, and what Postgres gets of it
	answerTime = time.Minute       // for the answer, once the file is there
	storeTime  = 10 * time.Second
)

// upload is a file that comes in.
type upload struct {
	*api
	r        *http.Request
	control  *http.ResponseController
	file     io.Reader         // as it comes
	text     io.Reader         // the file as UTF-8 text
	form     *multipart.Reader // whose part the file is; nil: the body is the file
	buf      []byte
	raw      int64 // bytes of the body so far
	size     int64 // bytes of the text so far
	failed   error // why the body could not be read on
	ended    bool  // all of it is there
	transfer *transfer
}

func (a *api) newUpload(w http.ResponseWriter, r *http.Request, t *transfer) (*upload, error) {
	if r.ContentLength > leadfile.MaxBytes {
		return nil, fileTooLarge()
	}
	u := &upload{api: a, r: r, control: http.NewResponseController(w), buf: make([]byte, decode.Sample), transfer: t}
	u.file = body{u}
	return u, nil
}

// open makes text of the file.
func (u *upload) open(o decode.Options) (f decode.Found, err error) {
	o.Grow = func(bytes int) error { return httpx.Charge(u.r, bytes) }
	u.text, f, err = decode.Open(u.file, o)
	return f, err
}

func fileTooLarge() error {
	return fault.New(fault.TooLarge, fmt.Sprintf("The file is larger than %d MiB", leadfile.MaxBytes>>20))
}

// body is the body of the request, read from a client that keeps the minimum rate. The answer has time of its own after
// it.
type body struct{ *upload }

func (u body) Read(b []byte) (int, error) {
	until := func(end time.Time) error {
		return errors.Join(u.control.SetReadDeadline(end), u.control.SetWriteDeadline(end.Add(answerTime)))
	}
	n, err := u.transfer.move(until, func() (int, error) { return u.r.Body.Read(b) })
	u.raw += int64(n)
	switch {
	case u.raw > leadfile.MaxBytes:
		u.failed = fileTooLarge()
	case err != nil && err != io.EOF:
		u.failed = brokenUpload(err)
	default:
		return n, err
	}
	return n, u.failed
}

// piece reads the next piece of the text, which is valid until the one after it.
func (u *upload) piece() ([]byte, error) {
	n := 0
	for n < len(u.buf) && !u.ended {
		got, err := u.text.Read(u.buf[n:])
		n += got
		switch {
		case err == io.EOF:
			u.ended = true
		case err != nil:
			return nil, err
		}
	}
	if u.size += int64(n); u.size > leadfile.MaxBytes {
		return nil, fault.New(fault.TooLarge, fmt.Sprintf("The text of the file is larger than %d MiB", leadfile.MaxBytes>>20))
	}
	if u.ended {
		if err := u.endForm(); err != nil {
			return nil, err
		}
	}
	// unpacking may have taken a while
	return u.buf[:n], u.control.SetWriteDeadline(time.Now().Add(transferWindow + answerTime))
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
	} else if wrong := fault.From(err).Fields(); u.ended && len(wrong) > 0 {
		reason = wrong[0].Field + ": " + wrong[0].Message
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
