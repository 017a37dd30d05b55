package pg_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// noise is metadata of n bytes that cannot be compressed by much.
func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return fmt.Appendf(nil, `{"a":"%s"}`, base64.StdEncoding.EncodeToString(b)[:n])
}

// lease leases with a bound in bytes, gives the lease back, and returns how many bytes came.
func (d *desk) lease(limit, bytes int) (s pg.LeasedBatch, size int) {
	d.Helper()
	token := id.New()
	s, err := d.db.LeaseDue(d.Context(), pg.LeaseRequest{Workspace: d.ws, Endpoint: d.endpoint.ID, Token: token,
		Lease: time.Minute, Limit: limit, Bytes: bytes, Now: d.now})
	if err != nil {
		d.Fatal(err)
	}
	d.record(token, 0, 0)
	for i := range s.Due {
		size += len(s.Due[i].Data) + pg.DueOverhead
	}
	return s, size
}

// A lease has deliveries while their data is within its bound, and one always, however their data is stored.
func TestLeaseIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for _, c := range []struct {
		name     string
		metadata []byte
	}{
		{"small", []byte(`{"a":"b"}`)},
		{"in its row, compressed", fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("x", 6000))},
		{"beside its row", noise(30_000)},
		{"beside its row, compressed", fmt.Appendf(nil, `{"a":"%s%s"}`, noise(6000)[6:6000], strings.Repeat("x", 24_000))},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, db)
			pgtest.Leads(t, db, d.ws, 20, func(l *lead.Lead) { l.Metadata = c.metadata })
			whole, all := d.lease(100, 0)
			if len(whole.Due) != 20 || whole.More {
				t.Fatalf("without a bound: %d deliveries, more %v, want all 20", len(whole.Due), whole.More)
			}
			one := all / 20
			for _, b := range []struct {
				limit, bytes, want int
				more               bool
			}{
				{100, 1, 1, true}, {100, one, 1, true}, {100, one + one/2, 2, true}, {100, 5 * one, 5, true},
				{100, 21 * one, 20, false}, {20, 21 * one, 20, true}, {3, 21 * one, 3, true},
			} {
				got, size := d.lease(b.limit, b.bytes)
				if len(got.Due) != b.want || got.More != b.more {
					t.Errorf("limit %d, %d bytes of %d each: %d deliveries of %d bytes, more %v, want %d, more %v", b.limit, b.bytes,
						one, len(got.Due), size, got.More, b.want, b.more)
				}
			}
		})
	}
}

// The data of deliveries that are not leased is not read.
func TestLeaseReadsOnlyWhatItTakes(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it is about plans of Postgres")
	db, err := pg.Open(pgtest.URL(t), pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := newDesk(t, db)
	pgtest.Leads(t, db, d.ws, 60, func(l *lead.Lead) { l.Metadata = noise(30_000) })
	// blocks returns how many blocks of large data were read so far.
	blocks := func() (n int) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), `select pg_stat_force_next_flush()`); err != nil {
			t.Skip("Postgres before version 15 tells no numbers in time")
		}
		const q = `select coalesce(sum(toast_blks_read + toast_blks_hit), 0) from pg_statio_all_tables where relname like 'events\_2%'`
		if err := db.GetContext(t.Context(), &n, q); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := blocks()
	few, _ := d.lease(60, 1)
	afterFew := blocks()
	all, _ := d.lease(60, 0)
	afterAll := blocks()
	if len(few.Due) != 1 || len(all.Due) != 60 || afterAll-afterFew < 60*4 {
		t.Fatalf("leased %d with %d blocks, then %d with %d, want 1, then 60 with hundreds", len(few.Due), afterFew-before,
			len(all.Due), afterAll-afterFew)
	}
	if got := afterFew - before; got > (afterAll-afterFew)/10 {
		t.Errorf("one delivery of 60 read %d blocks, all of them %d, want a tenth at most", got, afterAll-afterFew)
	}
}
