package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile"
)

// detectedView is how a file was read, as the API shows it.
type detectedView struct {
	Charset   string            `json:"charset"`
	Packed    *string           `json:"packed"`
	Sheet     *string           `json:"sheet"`
	Delimiter *string           `json:"delimiter"`
	Quote     *string           `json:"quote"`
	Header    *int              `json:"header"`
	Columns   []leadfile.Column `json:"columns"`
}

// showDetected shows how a file is read; nil: an earlier version did not note it.
func showDetected(i *leadfile.Import) *detectedView {
	o := &i.Options
	if o.Found == nil {
		return nil
	}
	v := &detectedView{Charset: o.Found.Charset, Packed: optional(o.Found.Packed), Sheet: optional(o.Found.Sheet),
		Columns: []leadfile.Column{}}
	if i.Format != leadfile.CSV {
		return v
	}
	quote := o.Quote
	if quote == "" {
		quote = `"`
	}
	v.Delimiter, v.Quote, v.Columns = &o.Delimiter, &quote, o.Columns
	if o.Header > 0 {
		v.Header = &o.Header
	}
	return v
}

// previewView is what a file would become.
type previewView struct {
	Format   string        `json:"format"`
	Detected *detectedView `json:"detected"`
	Rows     []previewRow  `json:"rows"`
}

type previewRow struct {
	Row       int            `json:"row"`
	Lead      *lead.Preview  `json:"lead"`
	ChatbotID *string        `json:"chatbotId"`
	Warnings  []lead.Warning `json:"warnings"`
	Error     *previewError  `json:"error"`
}

type previewError struct {
	Field   string  `json:"field"`
	Value   *string `json:"value"`
	Message string  `json:"message"`
}

const previewRows = 20

// preview answers what the first rows of a file would become. It stores nothing, and reads the rest of the file only
// because many clients read no answer before all is sent.
func (u *upload) preview(w http.ResponseWriter, imp *importRequest, rules lead.Rules, first []byte) error {
	rows, err := leadfile.NewReader(bytes.NewReader(first[imp.Position:]), &imp.Import, rules)
	if err != nil {
		return err
	}
	v := previewView{Format: string(imp.Format), Detected: showDetected(&imp.Import), Rows: []previewRow{}}
	for len(v.Rows) < previewRows {
		row, err := rows.Read()
		if errors.Is(err, leadfile.ErrBlank) {
			continue
		}
		if _, broken := leadfile.Broken(err); err == io.EOF || broken {
			break
		}
		if err != nil {
			return err
		}
		if !u.ended && row.End == int64(len(first)) { // it may be cut off
			break
		}
		v.Rows = append(v.Rows, showRow(&row))
	}
	if !u.ended {
		if err := u.endForm(); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, body{u}); err != nil {
		return err
	}
	w.Header().Del("Connection")
	return httpx.Data(w, http.StatusOK, v)
}

func showRow(row *leadfile.Row) previewRow {
	v := previewRow{Row: row.Number, Warnings: row.Warnings}
	if v.Warnings == nil {
		v.Warnings = []lead.Warning{}
	}
	if m := row.Wrong; m != nil {
		v.Error = &previewError{Field: m.Field, Value: optional(m.Value), Message: m.Message}
		return v
	}
	v.Lead = row.Draft.Preview()
	if row.Chatbot != (id.UUID{}) {
		chatbot := id.Chatbot.Format(row.Chatbot)
		v.ChatbotID = &chatbot
	}
	return v
}
