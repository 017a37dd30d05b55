package pg

import (
	"database/sql"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"leadgate/shared/id"
)

// column collects one column of a batch as a Postgres array literal for unnest.
type column struct{ text []byte }

func newColumn(rows, width int) *column {
	return &column{append(make([]byte, 0, rows*(width+3)+2), '{')}
}

func (c *column) next() {
	if len(c.text) > 1 {
		c.text = append(c.text, ',')
	}
}

func (c *column) null() { c.next(); c.text = append(c.text, "NULL"...) }

func (c *column) uuid(u id.UUID) {
	c.next()
	text, _ := u.MarshalText() // never fails
	c.text = append(c.text, text...)
}

func (c *column) optionalUUID(u id.UUID) {
	if u == (id.UUID{}) {
		c.null()
		return
	}
	c.uuid(u)
}

func (c *column) string(s string) { putQuoted(c, s) }

func (c *column) optionalString(s string) {
	if s == "" {
		c.null()
		return
	}
	putQuoted(c, s)
}

func (c *column) bytes(b []byte) { putQuoted(c, b) }

// hex writes bytes as a bytea.
func (c *column) hex(b []byte) {
	c.next()
	c.text = append(c.text, `"\\x`...)
	c.text = hex.AppendEncode(c.text, b)
	c.text = append(c.text, '"')
}

func (c *column) int(n int64) { c.next(); c.text = strconv.AppendInt(c.text, n, 10) }

func (c *column) time(t time.Time) {
	c.next()
	c.text = t.UTC().AppendFormat(c.text, "2006-01-02T15:04:05.999999Z")
}

func (c *column) optionalTime(t *time.Time) {
	if t == nil {
		c.null()
		return
	}
	c.time(*t)
}

// putQuoted writes a quoted element: in an array literal only quote and backslash need a backslash.
func putQuoted[T string | []byte](c *column, s T) {
	c.next()
	c.text = append(c.text, '"')
	from := 0
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			c.text = append(c.text, s[from:i]...)
			c.text = append(c.text, '\\')
			from = i
		}
	}
	c.text = append(c.text, s[from:]...)
	c.text = append(c.text, '"')
}

// done is the parameter.
func (c *column) done() string { return string(append(c.text, '}')) }

// interval is d as a Postgres interval. It is in seconds, because to Postgres 14 a field of more than 31 bits is an
// error.
func interval(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) + " seconds"
}

// clock is now as a parameter, or null for the database's own clock.
func clock(now time.Time) sql.NullTime { return sql.NullTime{Time: now, Valid: !now.IsZero()} }

// optionalID is u as a parameter; zero is null.
func optionalID(u id.UUID) uuid.NullUUID { return uuid.NullUUID{UUID: u, Valid: u != id.UUID{}} }

// pqStrings makes a text[] readable and writable.
func pqStrings(s *[]string) *pq.StringArray { return (*pq.StringArray)(s) }
