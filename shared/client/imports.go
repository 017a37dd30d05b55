package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

// ImportOptions say how a file becomes leads; the zero value is the API's default.
type ImportOptions struct {
	Format      string // csv or ndjson; by the content unless set
	Charset     string // of the text; found out unless set, like the next four
	Sheet       string // of a workbook
	Delimiter   string // one character
	Quote       string // one character, or none
	Header      string // the number of the row that names the columns, or none
	Mapping     string // a JSON object of column names and the fields they go to
	ChatbotID   string
	Source      string
	OnDuplicate string // error, update or return
	NoEvents    bool   // make no events: webhooks are not sent
}

// Import is a file that becomes leads.
type Import struct {
	ID, State, Format                            string
	Bytes, Position                              int64
	Progress                                     float64 // 0 to 1
	Rows, Created, Updated, Duplicates, Rejected int
	Warnings                                     int     // rows that became leads although something was odd about them
	Reason                                       *string // why it failed
	CreatedAt, UpdatedAt                         time.Time
	FinishedAt                                   *time.Time // nil: it is not over
}

// UploadImport sends a file; its rows become leads later. size is that of the file, -1 when it is not known.
func (c *Client) UploadImport(ctx context.Context, file io.Reader, size int64, o ImportOptions) (i Import, err error) {
	err = c.sendFile(ctx, file, size, o.query(), &i)
	return i, err
}

// PreviewImport returns how a file is read and what its first rows would become, as JSON. It imports nothing.
func (c *Client) PreviewImport(ctx context.Context, file io.Reader, size int64, o ImportOptions) (text json.RawMessage,
	err error) {
	q := o.query()
	q.Set("dryRun", "true")
	err = c.sendFile(ctx, file, size, q, &text)
	return text, err
}

func (o *ImportOptions) query() url.Values {
	q := values(map[string]string{
		"format": o.Format, "charset": o.Charset, "sheet": o.Sheet, "delimiter": o.Delimiter, "quote": o.Quote,
		"header": o.Header, "mapping": o.Mapping, "chatbotId": o.ChatbotID, "source": o.Source, "onDuplicate": o.OnDuplicate,
	})
	if o.NoEvents {
		q.Set("events", "false")
	}
	return q
}

func (c *Client) sendFile(ctx context.Context, file io.Reader, size int64, q url.Values, answer any) error {
	req, err := c.newRequest(ctx, http.MethodPost, "/api/v1/imports", q, file)
	if err != nil {
		return err
	}
	if req.ContentLength = size; size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", "application/octet-stream") // the content tells
	res, err := c.stream(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return decode(res, answer)
}

// GetImport returns how far an import is.
func (c *Client) GetImport(ctx context.Context, imp string) (i Import, err error) {
	_, err = c.do(ctx, request{method: http.MethodGet, path: importPath(imp)}, &i)
	return i, err
}

// ImportErrors returns the report of an import, a CSV file that the caller closes: each row that became no lead, and
// why; and what was odd about others, with the code WARNING.
func (c *Client) ImportErrors(ctx context.Context, imp string) (io.ReadCloser, error) {
	return c.download(ctx, importPath(imp)+"/errors", nil)
}

func importPath(imp string) string { return "/api/v1/imports/" + url.PathEscape(imp) }
