// Package webhook makes one attempt at one delivery: signs it, guards where it goes, bounds what comes back.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"leadgate/shared/hook"
	"leadgate/shared/id"
)

// Bounds of an answer.
const (
	DefaultTimeout = 15 * time.Second
	bodyLimit      = 64 << 10 // read at most, so that the connection can be used again; more closes it
	headLimit      = 4 << 10  // kept
)

// Deps is what a Sender is made of.
type Deps struct {
	Allow    hook.Allow       // where webhooks may go besides the public Internet by https
	Timeout  time.Duration    // of a whole attempt, from the look-up of the name to the end of the body; 0: DefaultTimeout
	Parallel int              // attempts at once to one host, whose connections are kept
	TLS      *tls.Config      // nil: the system's roots
	Resolver *net.Resolver    // nil: the system's
	Now      func() time.Time // required
}

// Sender sends webhooks.
type Sender struct {
	allow   hook.Allow
	timeout time.Duration
	now     func() time.Time
	client  *http.Client
}

// New makes a Sender; Close it at the end.
func New(d Deps) *Sender {
	if d.Timeout == 0 {
		d.Timeout = DefaultTimeout
	}
	transport := &http.Transport{
		Proxy:                  nil, // through a proxy the guard would see only the proxy's address
		DialContext:            newDialer(d.Allow, d.Resolver).DialContext,
		TLSClientConfig:        d.TLS,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // nobody makes a small answer large
		MaxIdleConnsPerHost:    d.Parallel,
		MaxIdleConns:           2048,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Sender{allow: d.Allow, timeout: d.Timeout, now: d.Now, client: &http.Client{Transport: transport, CheckRedirect: refuse}}
}

// Close closes the connections nobody uses.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send makes one attempt at j and says how it went. false: ctx ended first, so it is not known how it went and nothing is to be recorded.
func (s *Sender) Send(ctx context.Context, e *hook.Endpoint, j *hook.Job) (hook.Attempt, bool) {
	a := hook.Attempt{DeliveryID: j.DeliveryID, ID: id.New(), Number: j.Attempts + 1, At: s.now()}
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, problem := s.request(limited, e, j, a.At)
	if problem != "" {
		a.Error = hook.FailedBlocked.Because(problem)
		return a, true
	}
	res, err := s.client.Do(req)
	if err != nil {
		a.Latency = s.now().Sub(a.At)
		class := classify(err)
		a.Error = class.Because(s.words(class))
		return a, ctx.Err() == nil
	}
	defer res.Body.Close()
	// The status is the answer. What becomes of the body, which may be slow, broken or endless, changes nothing about it.
	a.Status = res.StatusCode
	if !hook.Succeeded(a.Status) {
		a.Error = hook.StatusError(a.Status)
	}
	a.ResponseHead = readHead(res.Body)
	a.Latency = s.now().Sub(a.At)
	return a, true
}

// request signs j for e; problem says why it must not be sent.
func (s *Sender) request(ctx context.Context, e *hook.Endpoint, j *hook.Job, at time.Time) (req *http.Request, problem string) {
	if wrong := hook.CheckURL(e.URL, s.allow); wrong != "" { // what was allowed when it was made may not be any more
		return nil, "the URL " + strings.ToLower(wrong[:1]) + wrong[1:]
	}
	body := j.AppendPayload(make([]byte, 0, len(j.Data)+128))
	message := id.Event.Format(j.EventID) // the same at every attempt: receivers tell repeats by it
	signatures, err := hook.SignAll(e, message, at, body)
	if err != nil {
		return nil, "the endpoint has no valid secret"
	}
	req, err = http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return nil, "the URL is not valid"
	}
	req.Header = http.Header{
		"Content-Type":      {"application/json"},
		"User-Agent":        {"leadgate/1"},
		"Webhook-Id":        {message},
		"Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)},
		"Webhook-Signature": {signatures},
	}
	return req, ""
}

// readHead reads a bounded part of the body and returns the start of it as text Postgres can store.
func readHead(body io.Reader) string {
	var head bytes.Buffer
	limited := io.LimitReader(body, bodyLimit)
	io.Copy(&head, io.LimitReader(limited, headLimit)) // what was read before an error is what there is
	io.Copy(io.Discard, limited)
	return strings.ReplaceAll(strings.ToValidUTF8(head.String(), ""), "\x00", "")
}

func (s *Sender) words(c hook.ErrorClass) string {
	switch c {
	case hook.FailedTimeout:
		return fmt.Sprintf("no answer within %s", s.timeout)
	case hook.FailedDNS:
		return "the host name does not resolve"
	case hook.FailedRefused:
		return "nobody listens there"
	case hook.FailedTLS:
		return "the certificate or the TLS handshake is not valid"
	case hook.FailedBlocked:
		return "the address is not one webhooks may be sent to"
	default:
		return "broken off before an answer"
	}
}
