// Package sender makes one attempt at one delivery: signs it, guards where it goes, bounds what comes back.
package sender

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"leadgate/shared/id"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// Bounds of an answer.
const (
	headerLimit = 16 << 10 // of header; more breaks the attempt off. Proxies in front of receivers let less through
	bodyLimit   = 64 << 10 // of body, read so that the connection can be used again; more closes it
	headLimit   = 4 << 10  // of body, kept
)

// Deps is what a Sender is made of.
type Deps struct {
	Allow    webhook.Allow    // where webhooks may go besides the public Internet by https
	Parallel int              // attempts at once to one endpoint, whose connections are kept
	TLS      *tls.Config      // nil: the system's roots
	Resolver *net.Resolver    // nil: the system's
	Now      func() time.Time // required
}

// Sender sends webhooks.
type Sender struct {
	allow     webhook.Allow
	now       func() time.Time
	transport *http.Transport
}

// New returns a Sender; Close it at the end.
func New(d Deps) *Sender {
	return &Sender{allow: d.Allow, now: d.Now, transport: newTransport(d)}
}

// Close closes the connections nobody uses.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Send makes one attempt at j and says how it went. false: ctx ended first, so it is not known how it went and nothing
// is to be recorded.
func (s *Sender) Send(ctx context.Context, e *webhook.Endpoint, j *webhook.DueDelivery) (webhook.Attempt, bool) {
	a := webhook.Attempt{DeliveryID: j.DeliveryID, ID: id.New(), Number: j.Attempts + 1, At: s.now()}
	body := j.AppendPayload(make([]byte, 0, len(j.Data)+128), e.Payload)
	// the id is the same at every attempt: receivers tell repeats by it
	made := s.post(ctx, e, id.Event.Format(j.EventID), body, &a, func(res *http.Response) {
		a.ResponseHead = readHead(res.Body)
	})
	return a, made
}

// post makes a request, and writes into a how it went. read reads the body of the answer.
func (s *Sender) post(ctx context.Context, e *webhook.Endpoint, message string, body []byte, a *webhook.Attempt,
	read func(*http.Response)) (made bool) {
	if e.Unreadable != nil { // never without its signature and headers
		a.Error = webhook.FailedInternal.WithDetail("the endpoint's secrets cannot be read")
		return true
	}
	timeout := timeoutOf(e)
	limited, cancel := context.WithTimeout(ctx, timeout) // from the look-up of the name to the end of the body
	defer cancel()
	req, problem := s.request(limited, e, message, body, a.At)
	if problem != "" {
		a.Error = webhook.FailedBlocked.WithDetail(problem)
		return true
	}
	res, err := s.transport.RoundTrip(req) // not a Client: nothing follows a redirect
	if err != nil {
		a.Latency = s.now().Sub(a.At)
		a.Error = failure(err, timeout)
		return ctx.Err() == nil
	}
	// The status is the answer. What becomes of the body, which may be slow, broken or endless, changes nothing about
	// it, but for a batch.
	a.Status, a.Wish = res.StatusCode, webhook.ParseWish(res.Header.Get("Webhook-Delivery"))
	if !webhook.Succeeded(a.Status) {
		a.Error = webhook.StatusError(a.Status)
		a.RetryAfter = retryAfter(res.Header.Get("Retry-After"), s.now())
	}
	if a.Status != http.StatusSwitchingProtocols { // after which the connection is ours, with no deadline
		read(res)
	}
	res.Body.Close()
	a.Latency = s.now().Sub(a.At)
	return true
}

func timeoutOf(e *webhook.Endpoint) time.Duration {
	if e.Timeout > 0 {
		return min(e.Timeout, webhook.MaxTimeout)
	}
	return webhook.DefaultTimeout
}

// failure returns the text for Attempt.Error where there was no answer, or no whole one.
func failure(err error, timeout time.Duration) string {
	class := classify(err)
	return class.WithDetail(detail(class, err, timeout))
}

// request signs a message for e; problem says why it must not be sent.
func (s *Sender) request(ctx context.Context, e *webhook.Endpoint, message string, body []byte,
	at time.Time) (req *http.Request, problem string) {
	if wrong := webhook.CheckURL(e.URL, s.allow); wrong != "" { // what was allowed when it was made may not be any more
		return nil, "the URL " + strings.ToLower(wrong[:1]) + wrong[1:]
	}
	header, err := webhook.Header(e, message, at, body)
	if err != nil {
		return nil, "the endpoint has no valid secret"
	}
	req, err = http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return nil, "the URL is not valid"
	}
	req.URL.RawQuery = webhook.EscapeQuery(req.URL.RawQuery)
	req.Header = header
	trace.From(ctx).SetHeader(req.Header)
	return req, ""
}

// readHead reads a bounded part of the body and returns the start of it as text Postgres can store: what is not UTF-8,
// and what is NUL, is U+FFFD.
func readHead(body io.Reader) string {
	if body == http.NoBody {
		return ""
	}
	var head bytes.Buffer
	limited := io.LimitReader(body, bodyLimit)
	io.Copy(&head, io.LimitReader(limited, headLimit)) // what was read before an error is what there is
	io.Copy(io.Discard, limited)
	return headOf(head.Bytes())
}

// headOf returns the start of a body as readHead does.
func headOf(body []byte) string {
	text := string(body[:min(len(body), headLimit)])
	if len(text) == headLimit {
		text = cutRune(text)
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	return cutRune(text[:min(len(text), headLimit)])
}

// cutRune returns text without the first bytes of a rune at its end.
func cutRune(text string) string {
	last := len(text) - 1
	for last > 0 && !utf8.RuneStart(text[last]) {
		last--
	}
	if last >= 0 && !utf8.FullRuneInString(text[last:]) {
		return text[:last]
	}
	return text
}

// retryAfter reads a Retry-After header (RFC 9110, 10.2.3), seconds or a date; 0 for what is neither, or is past.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	seconds, err := strconv.ParseUint(text, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(webhook.MaxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, min(at.Sub(now), webhook.MaxRetryAfter))
}
