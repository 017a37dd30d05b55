package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"leadgate/shared/config"
)

// waits is how long a command waits for the API before it says so.
type waits struct {
	connect time.Duration // for a connection, and again for TLS on it
	answer  time.Duration // for an answer to begin, and for all of a short one
	idle    time.Duration // while a file is sent or received: without an octet of it
}

func usualWaits() waits {
	return waits{connect: 10 * time.Second, answer: 30 * time.Second, idle: time.Minute}
}

// leadAPI is the API as a key's owner reaches it.
type leadAPI struct {
	url, key string
	waits
	http http.Client
}

func newLeadAPI(address string, key config.Secret, w waits) *leadAPI {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: w.connect}).DialContext
	t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = w.connect, w.answer
	a := &leadAPI{url: strings.TrimSuffix(address, "/"), key: key.Reveal(), waits: w}
	a.http = http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return a
}

// close gives back the connections.
func (a *leadAPI) close() { a.http.CloseIdleConnections() }

// ask sends a request whose answer is short and decodes the answer's data. again tells that it may succeed a little later.
func (a *leadAPI) ask(ctx context.Context, path string, to any) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.answer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, nil)
	if err != nil {
		return false, err
	}
	res, again, err := a.send(req, http.StatusOK)
	if err != nil {
		return again, err
	}
	defer res.Body.Close()
	return decodeData(res, to)
}

// stream sends a request of which either the body or the answer is long. Only the one status is no error.
func (a *leadAPI) stream(req *http.Request, want int) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	m := &motion{ctx: ctx, end: cancel, idle: a.idle}
	m.timer = time.AfterFunc(a.idle, func() { cancel(fmt.Errorf("the connection stood still for %v", a.idle)) })
	if req = req.WithContext(ctx); req.Body != nil {
		req.Body = &moving{req.Body, m}
	}
	res, _, err := a.send(req, want)
	if err != nil {
		err = m.cause(err)
		m.stop()
		return nil, err
	}
	res.Body = &answerBody{moving{res.Body, m}}
	return res, nil
}

// send sends a request; what the API refuses is an error with every mistake. It follows no redirect: a key is for the address it was given with.
func (a *leadAPI) send(req *http.Request, want int) (res *http.Response, again bool, err error) {
	req.Header.Set("Authorization", "Bearer "+a.key)
	if res, err = a.http.Do(req); err != nil {
		return nil, true, err
	}
	if res.StatusCode == want {
		return res, false, nil
	}
	defer res.Body.Close()
	if to, err := res.Location(); err == nil && res.StatusCode >= 300 && res.StatusCode < 400 {
		return nil, false, a.moved(req.URL, to)
	}
	return nil, res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests, refusal(res)
}

// moved says where the API seems to be, as --url takes it.
func (a *leadAPI) moved(asked, to *url.URL) error {
	_, path, _ := strings.Cut(asked.Path, "/api/v1/")
	if base, ok := strings.CutSuffix(to.Path, "/api/v1/"+path); ok {
		return fmt.Errorf("%s is not where the API is, and your key goes nowhere else by itself: if you know this address, use --url %s://%s%s", a.url, to.Scheme, to.Host, base)
	}
	return fmt.Errorf("%s leads to %s://%s%s, which is not the API: --url must be where the API is", a.url, to.Scheme, to.Host, to.Path)
}

// maxAnswer is how much of a short answer is read.
const maxAnswer = 1 << 20

func refusal(res *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	var told apiError
	if err != nil || json.Unmarshal(text, &told) != nil || told.Error == "" {
		told = apiError{Error: "the API answered " + res.Status}
	}
	return told.plain()
}

// decodeData reads the data of a short answer. again as in ask.
func decodeData(res *http.Response, to any) (again bool, err error) {
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return true, err
	}
	if err := json.Unmarshal(text, &struct{ Data any }{to}); err != nil {
		return false, fmt.Errorf("the API answered what is no import: %w", err)
	}
	return false, nil
}

// apiError is the API's envelope of errors.
type apiError struct {
	Error   string
	Details struct {
		Errors []struct {
			Field, Message string
			Value          any
		}
	}
}

// plain is the error for a terminal, with every mistake.
func (e apiError) plain() error {
	text := e.Error
	for _, m := range e.Details.Errors {
		text += "\n  " + m.Field
		if m.Value != nil {
			text += fmt.Sprintf(" %q", fmt.Sprint(m.Value))
		}
		text += ": " + m.Message
	}
	return errors.New(text)
}

// motion ends a request when none of its octets moves for a while.
type motion struct {
	ctx   context.Context
	end   context.CancelCauseFunc
	timer *time.Timer
	idle  time.Duration
}

func (m *motion) stop() {
	m.timer.Stop()
	m.end(nil)
}

// cause is why a request ended: err, unless it stood still.
func (m *motion) cause(err error) error {
	if why := context.Cause(m.ctx); why != nil && !errors.Is(why, context.Canceled) {
		return why
	}
	return err
}

// moving is a body whose octets are the motion.
type moving struct {
	io.ReadCloser
	m *motion
}

func (b *moving) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.m.timer.Reset(b.m.idle)
	}
	if err != nil && err != io.EOF {
		err = b.m.cause(err)
	}
	return n, err
}

// answerBody is moving until it is closed.
type answerBody struct{ moving }

func (b *answerBody) Close() error {
	b.m.stop()
	return b.ReadCloser.Close()
}
