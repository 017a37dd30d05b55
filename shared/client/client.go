// Package client speaks leadgate's HTTP API for a key's owner: the command line, the load tests and the end-to-end
// tests use it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options say where the API is and how long to wait for it.
type Options struct {
	URL string // of the API, with http:// or https://
	Key string // it is sent to this URL and nowhere else

	ConnectTimeout time.Duration // for a connection, and again for TLS on it; 10 seconds unless set
	AnswerTimeout  time.Duration // for an answer to begin, and for all of a short one; 30 seconds unless set
	IdleTimeout    time.Duration // while a file is sent or received: without a byte of it; 1 minute unless set

	// Patience is how long a request is repeated while the API is unavailable or asks to come again later. Zero means
	// never. A POST is repeated only under an Idempotency-Key, or when the API refused it with 429; uploads are never.
	Patience time.Duration

	Transport http.RoundTripper // nil: one of its own, with these timeouts
}

// Client is safe for use by several goroutines.
type Client struct {
	Options
	http http.Client
}

// New returns a client; nothing is sent yet.
func New(o Options) *Client {
	o.URL = strings.TrimSuffix(o.URL, "/")
	for _, d := range []struct {
		to    *time.Duration
		usual time.Duration
	}{{&o.ConnectTimeout, 10 * time.Second}, {&o.AnswerTimeout, 30 * time.Second}, {&o.IdleTimeout, time.Minute}} {
		if *d.to == 0 {
			*d.to = d.usual
		}
	}
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext = (&net.Dialer{Timeout: o.ConnectTimeout}).DialContext
		t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = o.ConnectTimeout, o.AnswerTimeout
		o.Transport = t
	}
	// A redirect is not followed: a key is for the address it was given with.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{o, http.Client{Transport: o.Transport, CheckRedirect: stay}}
}

// WithPatience returns a client with the same connections and another Options.Patience.
func (c *Client) WithPatience(d time.Duration) *Client {
	patient := *c
	patient.Patience = d
	return &patient
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is one whose body and answer are both short.
type request struct {
	method, path   string
	query          url.Values
	body           any // sent as JSON; nil: none
	idempotencyKey string
}

// do sends a request, repeating it as Options.Patience allows, and decodes the answer into to, which may be nil.
func (c *Client) do(ctx context.Context, r request, to any) (res *http.Response, err error) {
	var body []byte
	if r.body != nil {
		if body, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	safe := r.method == http.MethodGet || r.method == http.MethodDelete || r.idempotencyKey != ""
	err = c.repeat(ctx, safe, func() error {
		res, err = c.attempt(ctx, r, body, to)
		return err
	})
	return res, err
}

func (c *Client) attempt(ctx context.Context, r request, body []byte, to any) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.AnswerTimeout)
	defer cancel()
	req, err := c.newRequest(ctx, r.method, r.path, r.query, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", r.idempotencyKey)
	}
	res, err := c.send(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return res, decode(res, to)
}

func (c *Client) newRequest(
	ctx context.Context, method, path string, q url.Values, body io.Reader,
) (*http.Request, error) {
	address := c.URL + path
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	return req, nil
}

// send sends a request; every status but a success is an error, an *Error where the API refuses.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return nil, &unreachable{err}
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	if to, err := res.Location(); err == nil && res.StatusCode < 400 {
		return nil, c.redirected(req.URL, to)
	}
	return nil, readError(res)
}

// redirected says where the API seems to be, as --url takes it.
func (c *Client) redirected(asked, to *url.URL) error {
	_, path, _ := strings.Cut(asked.Path, "/api/v1/")
	if base, ok := strings.CutSuffix(to.Path, "/api/v1/"+path); ok {
		return fmt.Errorf(
			"%s is not where the API is, and your key goes nowhere else by itself: if you know this address, use --url %s://%s%s",
			c.URL, to.Scheme, to.Host, base)
	}
	return fmt.Errorf("%s leads to %s://%s%s, which is not the API: --url must be where the API is", c.URL, to.Scheme,
		to.Host, to.Path)
}

// maxAnswer is how much of a short answer is read.
const maxAnswer = 32 << 20

// decode reads a short answer: what is under "data", and all of it into a page.
func decode(res *http.Response, to any) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return &unreachable{err}
	}
	if to == nil {
		return nil
	}
	if _, whole := to.(paged); !whole {
		to = &struct{ Data any }{to}
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("the API's answer cannot be read: %w", err)
	}
	return nil
}

// Page is one page of a list; NextCursor is "" on the last one.
type Page[T any] struct {
	Data       []T
	NextCursor string
}

func (*Page[T]) paged() {}

type paged interface{ paged() }
