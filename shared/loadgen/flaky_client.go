package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

// FlakyClient is a client on a network that fails: its connections break off at any point, and it posts under one
// Idempotency-Key until it has an answer. It is used by one goroutine.
type FlakyClient struct {
	Addr, Path, Key string
	Breaks          float64    // how many of the tries break off, 0 to 1
	Random          *rand.Rand // chooses which, and where

	Tries, Broken int // so far

	conn net.Conn
	r    *bufio.Reader
}

// Response is an answer that a FlakyClient got in the end.
type Response struct {
	Status   int
	Replayed bool
	Body     []byte
}

// errBroken is a try that has no answer.
var errBroken = errors.New("the connection broke off")

// Post posts body until there is an answer that is one: no 429, no 503, and not that the first request is still under
// way.
func (f *FlakyClient) Post(ctx context.Context, key string, body []byte) (Response, error) {
	for {
		res, err := f.try(key, body, f.Random.Float64() < f.Breaks)
		if err == nil && !res.retryable() {
			return res, nil
		}
		select {
		case <-ctx.Done():
			return res, fmt.Errorf("no answer to %s: %w, last %d %s (%v)", key, ctx.Err(), res.Status, res.Body, err)
		case <-time.After(time.Duration(5+f.Random.IntN(25)) * time.Millisecond):
		}
	}
}

// retryable reports whether the answer asks the client to come again.
func (s *Response) retryable() bool {
	switch s.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusConflict:
		return bytes.Contains(s.Body, []byte(`"IDEMPOTENCY_IN_PROGRESS"`))
	}
	return false
}

// Close closes the connection, if there is one.
func (f *FlakyClient) Close() {
	if f.conn != nil {
		f.conn.Close()
		f.conn = nil
	}
}

func (f *FlakyClient) try(key string, body []byte, breakOff bool) (res Response, err error) {
	f.Tries++
	defer func() {
		if err != nil {
			f.Broken++
			f.Close()
		}
	}()
	if f.conn == nil {
		if f.conn, err = net.DialTimeout("tcp", f.Addr, 2*time.Second); err != nil {
			return res, err
		}
		f.r = bufio.NewReader(f.conn)
	}
	f.conn.SetDeadline(time.Now().Add(Timeout))
	request := fmt.Appendf(nil,
		"POST %s HTTP/1.1\r\nHost: loadgen\r\nAuthorization: Bearer %s\r\nIdempotency-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		f.Path, f.Key, key, len(body), body)
	if breakOff {
		return res, f.breakOff(request)
	}
	if _, err = f.conn.Write(request); err != nil {
		return res, err
	}
	answer, err := http.ReadResponse(f.r, nil)
	if err != nil {
		return res, err
	}
	defer answer.Body.Close()
	res.Status, res.Replayed = answer.StatusCode, answer.Header.Get("Idempotency-Replayed") == "true"
	if res.Body, err = io.ReadAll(answer.Body); err == nil && answer.Close {
		f.Close()
	}
	return res, err
}

// breakOff sends a part of the request, or all of it and reads a part of the answer, and is gone: sometimes with a
// reset.
func (f *FlakyClient) breakOff(request []byte) error {
	part := len(request)
	if f.Random.IntN(3) == 0 {
		part = f.Random.IntN(len(request))
	}
	if f.Random.IntN(2) == 0 {
		f.conn.(*net.TCPConn).SetLinger(0)
	}
	if _, err := f.conn.Write(request[:part]); err != nil {
		return err
	}
	if part == len(request) && f.Random.IntN(2) == 0 {
		_, _ = io.CopyN(io.Discard, f.conn, 1+f.Random.Int64N(600)) // it may be shorter
	}
	return errBroken
}

// IdempotencyKey is the n-th Idempotency-Key of a run.
func IdempotencyKey(run string, n int) string { return run + "-" + strconv.Itoa(n) }
