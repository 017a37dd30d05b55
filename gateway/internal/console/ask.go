package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"leadgate/gateway/internal/auth"
	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/webui"
)

// apiError is a refusal of the API.
type apiError struct {
	Status    int
	Code      string
	Message   string
	RequestID string
	Wait      string // seconds until it is worth asking again; "": nobody knows
	Fields    []mistake

	ExistingLeadID string // of a lead that is there already
}

type mistake webui.Mistake

func (e *apiError) Error() string { return e.Message }

// isStatus reports whether err is the API's with this status.
func isStatus(err error, status int) bool {
	e := (*apiError)(nil)
	return errors.As(err, &e) && e.Status == status
}

// get asks for one record or a list of all.
func (v *visit) get(path string, query url.Values, to any) error {
	return v.ask(http.MethodGet, withQuery(path, query), nil, &envelope{Data: to})
}

// list asks for a page of records, and returns the cursor of the next.
func (v *visit) list(path string, query url.Values, to any) (next string, err error) {
	e := &envelope{Data: to}
	err = v.ask(http.MethodGet, withQuery(path, query), nil, e)
	return e.NextCursor, err
}

// getTagged is get, and returns the version of the record too, which sendIf takes.
func (v *visit) getTagged(path string, query url.Values, to any) (version string, err error) {
	e := &envelope{Data: to}
	err = v.ask(http.MethodGet, withQuery(path, query), nil, e)
	return e.version, err
}

// send asks for a change; body is sent as JSON unless it is nil, and to may be nil.
func (v *visit) send(method, path string, body, to any) error {
	return v.ask(method, path, body, &envelope{Data: to})
}

// sendIf is send, where the record is still of this version; else the API answers 412.
func (v *visit) sendIf(version, method, path string, body any) error {
	return v.ask(method, path, body, &envelope{version: version})
}

func withQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// envelope is what the API puts around its answers. version is the ETag that a request asks for and an answer has; "":
// none.
type envelope struct {
	Data       any    `json:"data"`
	NextCursor string `json:"nextCursor"`
	version    string
}

func (v *visit) ask(method, target string, body any, to *envelope) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encode a request of the API: %w", err)
		}
	}
	r, err := v.request(method, target, bytes.NewReader(text))
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if to.version != "" {
		r.Header.Set("If-Match", to.version)
	}
	return v.call(r, to)
}

// call has the API answer a request of v.request.
func (v *visit) call(r *http.Request, to *envelope) error {
	a := v.answer()
	v.API.ServeHTTP(a, r)
	v.counted = v.counted || a.status != http.StatusTooManyRequests
	if a.err != nil {
		return a.err
	}
	if a.status >= http.StatusMultipleChoices {
		return a.refusal()
	}
	to.version = a.header.Get("ETag")
	if a.body.Len() == 0 || to.Data == nil {
		return nil
	}
	if err := json.Unmarshal(a.body.Bytes(), to); err != nil {
		return fmt.Errorf("read the API's answer to %s %s: %w", r.Method, r.URL.Path, err)
	}
	return nil
}

// stream has the API answer the browser itself: a file to download.
func (v *visit) stream(target string) error {
	r, err := v.request(http.MethodGet, target, http.NoBody)
	if err != nil {
		return err
	}
	v.written = true
	v.API.ServeHTTP(v.w, r)
	return nil
}

// request makes a request of the API that acts for the session, and comes from where the browser's came.
func (v *visit) request(method, target string, body io.Reader) (*http.Request, error) {
	ctx := auth.WithPrincipal(v.r.Context(), v.principal)
	if v.counted {
		ctx = auth.Counted(ctx)
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make a request of the API: %w", err)
	}
	r.RequestURI, r.Host, r.RemoteAddr, r.TLS = target, v.r.Host, v.r.RemoteAddr, v.r.TLS
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "User-Agent", "Accept-Encoding", "Accept-Language"} {
		if values := v.r.Header.Values(name); len(values) > 0 {
			r.Header[name] = values
		}
	}
	return r, nil
}

// answer keeps what the API writes, for which the browser's request is charged.
type answer struct {
	outer   http.ResponseWriter // of the browser's request, whose connection has the deadlines
	asked   *http.Request       // the browser's
	header  http.Header
	status  int
	written bool
	body    bytes.Buffer
	err     error // why it is not whole
}

func (v *visit) answer() *answer {
	return &answer{outer: v.w, asked: v.r, header: http.Header{}, status: http.StatusOK}
}

// freeAnswer is how many bytes of an answer are not charged.
const freeAnswer = 4 << 10

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.outer }

// FlushError sends nothing on: the browser gets a page of it, or nothing.
func (a *answer) FlushError() error { return nil }

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if !a.written {
		a.status, a.written = status, true
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.err == nil && a.body.Len()+len(b) > freeAnswer {
		a.err = httpx.Charge(a.asked, len(b))
	}
	if a.err != nil {
		return 0, a.err
	}
	return a.body.Write(b)
}

// refusal is the error that an answer holds.
func (a *answer) refusal() error {
	e := &apiError{Status: a.status, Message: http.StatusText(a.status), RequestID: a.header.Get("X-Request-Id"),
		Wait: a.header.Get("Retry-After")}
	var text struct {
		Error, Code string
		Details     json.RawMessage
	}
	if json.Unmarshal(a.body.Bytes(), &text) != nil || text.Error == "" {
		return e
	}
	e.Message, e.Code = text.Error, text.Code
	var details struct {
		Errors         []mistake
		ExistingLeadID string
	}
	if json.Unmarshal(text.Details, &details) == nil { // each code has details of its own
		e.Fields, e.ExistingLeadID = details.Errors, details.ExistingLeadID
	}
	return e
}
