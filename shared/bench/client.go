package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// conn is one keep-alive HTTP/1.1 connection. net/http's client costs more CPU than the server it would measure, and both share the cores.
type conn struct {
	net.Conn
	r   *bufio.Reader
	out []byte
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, 2*time.Second)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 8<<10)}, nil
}

// post sends body to path and returns the status; the answer's body is read and thrown away.
func (c *conn) post(path, key string, body []byte) (status int, err error) {
	c.out = c.out[:0]
	c.out = append(c.out, "POST "...)
	c.out = append(c.out, path...)
	c.out = append(c.out, " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: Bearer "...)
	c.out = append(c.out, key...)
	c.out = append(c.out, "\r\nContent-Length: "...)
	c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	c.out = append(c.out, "\r\n\r\n"...)
	c.out = append(c.out, body...)
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write(c.out); err != nil {
		return 0, err
	}
	return c.answer()
}

func (c *conn) answer() (status int, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length := -1
	for {
		line, err = c.r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("answer without Content-Length")
	}
	_, err = io.CopyN(io.Discard, c.r, int64(length))
	return status, err
}

// leadBody appends the contract's example lead with an email of its own.
func leadBody(dst []byte, run string, n int64) []byte {
	dst = append(dst, `{"name":"John Doe","email":"john.doe.`...)
	dst = append(dst, run...)
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, `@example.com","phone":"+1-555-123-4567","source":"website","status":"new","metadata":{"utm_source":"google","utm_campaign":"spring_2024","interests":["product_a","product_b"],"company":"Tech Corp","job_title":"Marketing Manager"}}`...)
}
