package pg

import (
	"database/sql"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"leadgate/shared/id"
)

// kind is the type of an array's elements, and how many bytes one takes or is likely to take.
type kind struct {
	oid   uint32 // in pg_type, the same in every version
	width int
}

var (
	uuids    = kind{2950, 16}
	texts    = kind{25, 24}
	longs    = kind{25, 512} // texts too
	jsons    = kind{114, 128}
	payloads = kind{114, 768} // json too
	times    = kind{1184, 8}
	dates    = kind{1082, 4}
	ints     = kind{23, 4}
	bigints  = kind{20, 8}
	byteas   = kind{17, 32}
)

// column collects one column of a batch as an array for unnest, in Postgres' binary form: nobody has to write and read
// the text of ids, times and JSON, which is a tenth of what an insert costs. The parameter must have the column's kind.
type column struct {
	kind
	data  []byte
	rows  int
	nulls bool
}

// arrayHeader is what stands before the elements: dimensions, whether there are nulls, the type, length and first
// index.
const arrayHeader = 5 * 4

func newColumn(k kind, rows int) *column {
	return &column{kind: k, data: make([]byte, arrayHeader, arrayHeader+rows*(k.width+4))}
}

// newColumns returns a column of each kind.
func newColumns(rows int, kinds ...kind) []*column {
	all := make([]*column, len(kinds))
	for i, k := range kinds {
		all[i] = newColumn(k, rows)
	}
	return all
}

// arrays are columns as parameters.
func arrays(columns ...*column) []any {
	args := make([]any, len(columns), len(columns)+8)
	for i, c := range columns {
		args[i] = c.done()
	}
	return args
}

func (c *column) next(size int) {
	c.rows++
	c.data = binary.BigEndian.AppendUint32(c.data, uint32(size))
}

func (c *column) null() {
	c.rows++
	c.nulls = true
	c.data = append(c.data, 0xff, 0xff, 0xff, 0xff)
}

func (c *column) uuid(u id.UUID) {
	c.next(len(u))
	c.data = append(c.data, u[:]...)
}

func (c *column) optionalUUID(u id.UUID) {
	if u == (id.UUID{}) {
		c.null()
		return
	}
	c.uuid(u)
}

func (c *column) string(s string) {
	c.next(len(s))
	c.data = append(c.data, s...)
}

func (c *column) optionalString(s string) {
	if s == "" {
		c.null()
		return
	}
	c.string(s)
}

func (c *column) bytes(b []byte) {
	c.next(len(b))
	c.data = append(c.data, b...)
}

// int writes an element of ints or bigints.
func (c *column) int(n int64) {
	c.next(c.width)
	if c.width == bigints.width {
		c.data = binary.BigEndian.AppendUint64(c.data, uint64(n))
	} else {
		c.data = binary.BigEndian.AppendUint32(c.data, uint32(int32(n)))
	}
}

// epoch is where Postgres counts times from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *column) time(t time.Time) {
	c.next(times.width)
	c.data = binary.BigEndian.AppendUint64(c.data, uint64(t.UnixMicro()-epoch.UnixMicro()))
}

func (c *column) optionalTime(t *time.Time) {
	if t == nil {
		c.null()
		return
	}
	c.time(*t)
}

// date writes the day of t in UTC.
func (c *column) date(t time.Time) {
	c.next(dates.width)
	days := t.UTC().Truncate(24*time.Hour).Unix()/86_400 - epoch.Unix()/86_400
	c.data = binary.BigEndian.AppendUint32(c.data, uint32(int32(days)))
}

// done is the parameter. lib/pq sends what is bytes in binary form.
func (c *column) done() []byte {
	header := [...]uint32{1, 0, c.oid, uint32(c.rows), 1}
	if c.nulls {
		header[1] = 1
	}
	for i, n := range header {
		binary.BigEndian.PutUint32(c.data[4*i:], n)
	}
	if c.rows == 0 { // an empty array has no dimension
		clear(c.data[:4])
		return c.data[:3*4]
	}
	return c.data
}

// idArray is ids as a uuid[]; no ids are an empty one.
func idArray(ids []id.UUID) []byte {
	c := newColumn(uuids, len(ids))
	for _, u := range ids {
		c.uuid(u)
	}
	return c.done()
}

// optionalIDs makes ids a uuid[]; no ids are null.
func optionalIDs(ids []id.UUID) any {
	if ids == nil {
		return nil
	}
	return idArray(ids)
}

// interval is d as a Postgres interval. It is in seconds, because to Postgres 14 a field of more than 31 bits is an
// error.
func interval(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) + " seconds"
}

// hidden are parameters from $first on that are arrays of these types, each behind a subquery, for unnest: otherwise
// Postgres would plan the statement anew each time for their lengths, as long as that looks cheaper.
func hidden(first int, types string) string {
	all := strings.Fields(types)
	for i, t := range all {
		all[i] = `(select $` + strconv.Itoa(first+i) + `::` + t + `[])`
	}
	return strings.Join(all, ", ")
}

// lockWait is how long a lock is waited for as a parameter, or null for as long as all statements of the pool do.
func lockWait(d time.Duration) any {
	if d == 0 {
		return nil
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}

// clock is now as a parameter, or null for the database's own clock.
func clock(now time.Time) sql.NullTime { return sql.NullTime{Time: now, Valid: !now.IsZero()} }

// optionalID is u as a parameter; zero is null.
func optionalID(u id.UUID) uuid.NullUUID { return uuid.NullUUID{UUID: u, Valid: u != id.UUID{}} }

// pqStrings makes a text[] readable and writable.
func pqStrings(s *[]string) *pq.StringArray { return (*pq.StringArray)(s) }
