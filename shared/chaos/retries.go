package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/loadgen"
	"leadgate/shared/rdb"
)

// retriesOf are the scenarios in which every lead is posted under one Idempotency-Key until there is an answer.
func retriesOf() []scenario {
	return []scenario{
		{name: "retries",
			what:  "connections break off at any point, the gateway is killed twice and Redis is flushed, while each lead is posted under one Idempotency-Key until there is an answer",
			retry: breakAll},
	}
}

// retried is the numbers of posts under keys.
type retried struct {
	outage
	keys, tries, broken int
	replayed            int // first answers that had been given before, and were lost
	leads               int
	took                time.Duration
}

func (r *retried) String() string {
	if r == nil {
		return ""
	}
	b := &strings.Builder{}
	fmt.Fprintf(b, "  %d keys in %v: %d tries, of which %d broke off; the answers of %d had been lost before\n", r.keys,
		ms(r.took), r.tries, r.broken, r.replayed)
	fmt.Fprintf(b, "  broken for %v; %d leads\n", ms(r.until.Sub(r.from)), r.leads)
	return b.String()
}

// breakAll falls on the retries when a third of them is done.
func breakAll(ctx context.Context, run *runner) error {
	c, err := rdb.Open(run.RedisURL, rdb.Options{Timeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer c.Close()
	return run.during(func() error {
		for range 2 {
			run.Gateway().Kill()
			if err := c.FlushAll(ctx).Err(); err != nil {
				return fmt.Errorf("flush: %w", err)
			}
			if err := run.Gateway().Start(ctx); err != nil {
				return err
			}
			pause(ctx, run.outage/4)
		}
		return nil
	})
}

// runRetries posts the leads, injects the fault in the middle, and asks for each answer once more: there is one lead
// for each key, and one answer, byte for byte.
func (run *runner) runRetries(ctx context.Context) (*retried, error) {
	r := &retried{keys: run.retries}
	begin := time.Now()
	var next, done atomic.Int64
	var mu sync.Mutex
	third := make(chan struct{})
	work, ctx := errgroup.WithContext(ctx)
	for conn := range run.conns {
		work.Go(func() error {
			f := &loadgen.FlakyClient{Addr: strings.TrimPrefix(run.URL, "http://"), Path: "/api/v1/leads", Key: run.Key,
				Breaks: 0.3, Random: run.random(conn)}
			defer f.Close()
			replayed := 0
			for n := int(next.Add(1)); n <= run.retries; n = int(next.Add(1)) {
				first, err := run.postUnderKey(ctx, f, n)
				if err != nil {
					return err
				}
				if first.Replayed {
					replayed++
				}
				if done.Add(1) == int64(run.retries/3) {
					close(third)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			r.tries, r.broken, r.replayed = r.tries+f.Tries, r.broken+f.Broken, r.replayed+replayed
			return nil
		})
	}
	work.Go(func() error {
		select {
		case <-third:
			return run.retry(ctx, run)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	err := work.Wait()
	run.loaded()
	r.took, r.outage = time.Since(begin), run.was
	if err != nil {
		return r, err
	}
	if err := run.db.GetContext(context.WithoutCancel(ctx), &r.leads, "select count(*) from leads"); err != nil {
		return r, fmt.Errorf("count leads: %w", err)
	}
	if r.leads != r.keys {
		err = fmt.Errorf("%d keys made %d leads", r.keys, r.leads)
	}
	if r.replayed == 0 {
		err = errors.Join(err, errors.New("no answer was lost, so nothing was tried"))
	}
	return r, err
}

// postUnderKey posts the n-th lead until there is an answer, and asks for it again.
func (run *runner) postUnderKey(ctx context.Context, f *loadgen.FlakyClient, n int) (loadgen.Response, error) {
	key, body := loadgen.IdempotencyKey("chaos", n), loadgen.AppendLead(nil, fmt.Sprintf("retry.%d@example.com", n))
	first, err := f.Post(ctx, key, body)
	if err != nil {
		return first, err
	}
	again, err := f.Post(ctx, key, body)
	if err != nil {
		return first, err
	}
	if first.Status != http.StatusCreated || again.Status != first.Status || !bytes.Equal(first.Body, again.Body) {
		return first, fmt.Errorf("key %s: %d %s, then %d %s, want one 201 twice", key, first.Status, first.Body, again.Status,
			again.Body)
	}
	return first, nil
}
