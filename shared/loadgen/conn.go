// Package loadgen plays the outside of whole systems for bench, chaos and e2e: clients that post leads, subscribers
// that take webhooks.
package loadgen

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Conn is one keep-alive HTTP/1.1 connection. net/http's client costs more CPU than the server it would measure, and
// both share the cores.
type Conn struct {
	net.Conn
	Header string // further lines of each request's header: "Name: value\r\n"
	r      *bufio.Reader
	out    []byte
	body   []byte
}

// Timeout bounds a request: a server that does not answer for so long is broken.
const Timeout = 20 * time.Second

// Dial connects to host:port.
func Dial(addr string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", addr, 2*time.Second)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c, r: bufio.NewReaderSize(c, 8<<10)}, nil
}

// Answer is a whole answer; Body is valid until the connection's next request.
type Answer struct {
	Status     int
	RetryAfter string
	Body       []byte
}

// Lead is the id of the lead that a 201 made or that a 409 names; "" when there is none.
func (a Answer) Lead() (string, error) {
	var body struct {
		Data    struct{ ID string }
		Details struct{ ExistingLeadID string }
	}
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return "", fmt.Errorf("answer %d is not JSON: %w", a.Status, err)
	}
	return body.Data.ID + body.Details.ExistingLeadID, nil // never both
}

// Post sends a JSON body.
func (c *Conn) Post(path, key string, body []byte) (Answer, error) {
	return c.do("POST ", path, key, body)
}

// Get asks for path.
func (c *Conn) Get(path, key string) (Answer, error) { return c.do("GET ", path, key, nil) }

func (c *Conn) do(method, path, key string, body []byte) (Answer, error) {
	c.out = append(c.out[:0], method...)
	c.out = append(c.out, path...)
	c.out = append(c.out, " HTTP/1.1\r\nHost: loadgen\r\nAuthorization: Bearer "...)
	c.out = append(c.out, key...)
	if body != nil {
		c.out = append(c.out, "\r\nContent-Type: application/json\r\nContent-Length: "...)
		c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	}
	c.out = append(c.out, "\r\n"...)
	c.out = append(c.out, c.Header...)
	c.out = append(c.out, "\r\n"...)
	c.out = append(c.out, body...)
	c.SetDeadline(time.Now().Add(Timeout))
	if _, err := c.Write(c.out); err != nil {
		return Answer{}, err
	}
	return c.answer()
}

func (c *Conn) answer() (a Answer, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(line) < 12 {
		return a, fmt.Errorf("status line %q", line)
	}
	if a.Status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, err
	}
	length := -1
	for {
		line, err = c.r.ReadSlice('\n')
		if err != nil {
			return a, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return a, err
			}
		case bytes.EqualFold(name, []byte("Retry-After")):
			a.RetryAfter = string(bytes.TrimSpace(value))
		}
	}
	if length < 0 {
		return a, errors.New("answer without Content-Length")
	}
	if cap(c.body) < length {
		c.body = make([]byte, 2*length)
	}
	a.Body = c.body[:length]
	_, err = io.ReadFull(c.r, a.Body)
	return a, err
}

// AppendLead appends the contract's example lead with another email, which must need no escapes in JSON.
func AppendLead(dst []byte, email string) []byte {
	dst = append(dst, `{"name":"John Doe","email":"`...)
	dst = append(dst, email...)
	return append(dst,
		`","phone":"+1-555-123-4567","source":"website","status":"new","metadata":{"utm_source":"google","utm_campaign":"spring_2024","interests":["product_a","product_b"],"company":"Tech Corp","job_title":"Marketing Manager"}}`...)
}
