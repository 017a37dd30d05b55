package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// download returns the body of an answer that may be long. It ends with an error when no byte comes for IdleTimeout.
func (c *Client) download(ctx context.Context, path string, q url.Values) (body io.ReadCloser, err error) {
	err = c.repeat(ctx, true, func() error {
		req, err := c.newRequest(ctx, http.MethodGet, path, q, nil)
		if err != nil {
			return err
		}
		res, err := c.stream(req)
		if err == nil {
			body = res.Body
		}
		return err
	})
	return body, err
}

// stream sends a request of which either the body or the answer is long.
func (c *Client) stream(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	idle := &idleTimer{ctx: ctx, end: cancel, timeout: c.IdleTimeout}
	idle.timer = time.AfterFunc(c.IdleTimeout, func() {
		cancel(fmt.Errorf("the connection stalled for %v",
			c.IdleTimeout))
	})
	if req = req.WithContext(ctx); req.Body != nil {
		req.Body = &idleBody{req.Body, idle}
	}
	res, err := c.send(req)
	if err != nil {
		err = idle.cause(err)
		idle.stop()
		return nil, err
	}
	res.Body = &answerBody{idleBody{res.Body, idle}}
	return res, nil
}

// idleTimer ends a request when no byte of it moves for a while.
type idleTimer struct {
	ctx     context.Context
	end     context.CancelCauseFunc
	timer   *time.Timer
	timeout time.Duration
}

func (i *idleTimer) stop() {
	i.timer.Stop()
	i.end(nil)
}

// cause returns why a request ended: err, unless the timer ended it.
func (i *idleTimer) cause(err error) error {
	if why := context.Cause(i.ctx); why != nil && !errors.Is(why, context.Canceled) {
		return why
	}
	return err
}

// idleBody is a body whose bytes keep the timer from ending the request.
type idleBody struct {
	io.ReadCloser
	idle *idleTimer
}

func (b *idleBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.idle.timer.Reset(b.idle.timeout)
	}
	if err != nil && err != io.EOF {
		err = b.idle.cause(err)
	}
	return n, err
}

// answerBody stops the timer when it is closed.
type answerBody struct{ idleBody }

func (b *answerBody) Close() error {
	b.idle.stop()
	return b.ReadCloser.Close()
}
