package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/leadfile"
)

// upload is a file that comes in.
type upload struct {
	*api
	r       *http.Request
	control *http.ResponseController
	buf     []byte
	size    int64 // so far
	ended   bool  // all of it is there
	pace    *pace
}

func (a *api) newUpload(w http.ResponseWriter, r *http.Request) (*upload, error) {
	if r.ContentLength > leadfile.MaxBytes {
		return nil, fileTooLarge()
	}
	return &upload{api: a, r: r, control: http.NewResponseController(w), buf: make([]byte, uploadPiece), pace: a.newPace()}, nil
}

func fileTooLarge() error {
	return fault.New(fault.TooLarge, fmt.Sprintf("The file is larger than %d MiB", leadfile.MaxBytes>>20))
}

// piece reads the next piece, which is valid until the one after it, from a client that keeps pace. The answer has time of its own after it.
func (u *upload) piece() ([]byte, error) {
	until := func(end time.Time) error {
		return errors.Join(u.control.SetReadDeadline(end), u.control.SetWriteDeadline(end.Add(answerTime)))
	}
	n := 0
	for n < len(u.buf) && !u.ended {
		got, err := u.pace.move(until, func() (int, error) { return u.r.Body.Read(u.buf[n:]) })
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

// brokenUpload tells a file that came too slowly from one that ended too early. The connection's own error also tells the client's address.
func brokenUpload(err error) error {
	f := fault.InvalidField("body", nil, "The file broke off before its end")
	if errors.Is(err, os.ErrDeadlineExceeded) {
		f = fault.New(fault.Timeout, fmt.Sprintf("The file came too slowly: %d KiB a second are the least, and an hour for all of it is the most", paceRate>>10))
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
	reason := "The upload broke off"
	if fault.Is(err, fault.TooLarge) {
		reason = fault.From(err).Public
	}
	ctx, cancel = context.WithTimeout(u.r.Context(), storeTime)
	defer cancel()
	if failed := u.DB.FailUpload(ctx, imp.WorkspaceID, imp.ID, reason); failed != nil {
		httpx.Note(u.r, "fail_upload", failed.Error()) // upkeep does it
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
	httpx.Note(u.r, "file_bytes", u.size)
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
