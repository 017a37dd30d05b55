package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
)

// flood has robots send a form, each from an address of its own and with another email, and measures what is left of
// them on disk. All of them are answered like people, so books must know of each.
func (b *bench) flood(ctx context.Context) error {
	db, err := b.openDB()
	if err != nil {
		return err
	}
	defer db.Close()
	workspace, key, err := b.makeForm(ctx)
	if err != nil {
		return err
	}
	size := func() (bytes int64, err error) {
		err = db.GetContext(ctx, &bytes, `select pg_database_size(current_database())`)
		return bytes, err
	}
	before, err := size()
	if err != nil {
		return err
	}
	var res *result
	u, err := b.metered(ctx, func() error {
		if res, err = b.sendRobots(ctx, key); err != nil {
			return err
		}
		return b.awaitAllIdle(ctx)
	})
	if err != nil {
		return err
	}
	b.printf("%-26s %v", strconv.Itoa(b.robots)+" robots", res)
	b.figures("", res)
	b.used("robots", u, per{res.accepted, "robot"})
	after, err := size()
	if err != nil {
		return err
	}
	b.printf("%-26s %.1f MB on disk", "", float64(after-before)/1e6)
	b.figure("", "disk", float64(after-before), "bytes")
	return b.checkFlood(ctx, db, workspace, res.accepted)
}

// sendRobots has each robot send the form once.
func (b *bench) sendRobots(ctx context.Context, key string) (*result, error) {
	var sent atomic.Int64
	return gather(slices.Max(b.conns), func(_ int, keep func(int, time.Duration)) error {
		c, err := loadgen.Dial(b.addr())
		if err != nil {
			return err
		}
		defer c.Close()
		for n := sent.Add(1); n <= int64(b.robots); n = sent.Add(1) {
			if err := ctx.Err(); err != nil {
				return err
			}
			c.Header = fmt.Sprintf("X-Forwarded-For: 10.%d.%d.%d\r\n", n>>16&255, n>>8&255, n&255)
			begin := time.Now()
			got, err := c.Post("/f/"+key, "none", fmt.Appendf(nil, `{"name":"Best Offer","email":"robot%d@example.com",`+
				`"_gotcha":"https://pills.example.net/%d","message":"Buy the cheapest pills at https://pills.example.net/%d`+
				` and play at https://casino.example.net/"}`, n, n, n))
			if err != nil {
				return err
			}
			keep(createdIfOK(got.Status), time.Since(begin))
		}
		return nil
	})
}

// checkFlood fails where books do not know of each robot. What left no row is in them a moment later.
func (b *bench) checkFlood(ctx context.Context, db *pg.DB, workspace id.UUID, sent int) error {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	var n map[tenant.BookOutcome]int64
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		entries, err := db.ReadBooks(ctx, workspace, today.AddDate(0, 0, -1), today.AddDate(0, 0, 1), id.UUID{})
		if err != nil {
			return err
		}
		n = map[tenant.BookOutcome]int64{}
		for i := range entries {
			n[entries[i].Outcome] += entries[i].N
		}
		if n[tenant.BookReceived] == int64(sent) {
			b.printf("%-26s books: %v", "", n)
			return nil
		}
	}
	return fmt.Errorf("books have %v of %d robots", n, sent)
}
