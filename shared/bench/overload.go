package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"leadgate/shared/loadgen"
)

// What overload does to a gateway.
const (
	overloadTimes    = 5    // the offered load is so many times the peak
	overloadConns    = 5000 // more than a gateway lets wait for a commit
	overloadPatience = 20 * time.Millisecond
	probePause       = 20 * time.Millisecond
	probesInARow     = 20 // so many good answers in a row are a recovery
	recoveryLimit    = time.Minute
)

// overload offers five times what is accepted at most, and looks at who is served meanwhile, at what cost, and how long
// it takes afterwards until all is as before. A request for which all connections are busy when it is due is not sent:
// waiting for one would make the client's queue the longest of all.
func (b *bench) overload(ctx context.Context) error {
	peak, err := b.peak(ctx)
	if err != nil {
		return err
	}
	before, err := b.probe(ctx, probesInARow)
	if err != nil {
		return err
	}
	conns := overloadConns
	if b.quick {
		conns = 64
	}
	do, done, err := b.posts(b.addr(), "/api/v1/leads", b.Key)(conns)
	if err != nil {
		return err
	}
	defer done()
	o := offered(conns, overloadTimes*int(peak), b.duration)
	o.patience = overloadPatience
	b.step("%d/s", o.perSecond)
	var res *result
	var recovered, drained time.Duration
	memory := watchMemory(ctx, b.Gateway().PID(), b.Workers()[0].PID())
	u, err := b.metered(ctx, func() error {
		if res, err = openLoop(ctx, o, do); err != nil {
			return err
		}
		end := time.Now()
		if recovered, err = b.awaitRecovery(ctx, end, max(50*time.Millisecond, 2*before)); err != nil {
			return err
		}
		err := b.awaitAllIdle(ctx)
		drained = time.Since(end)
		return err
	})
	most := memory()
	if err != nil {
		return err
	}
	b.printf("%d/s offered on %d connections: accepted %v; %d requests were not sent, as no connection was free",
		o.perSecond, conns, res, res.unsent)
	b.printf("as fast as before %v after the end, all work done after %v", recovered.Round(time.Millisecond),
		drained.Round(time.Millisecond))
	b.figures("", res)
	b.figure("", "unsent", float64(res.unsent), "requests")
	b.figure("", "recovered", recovered.Seconds(), "s")
	b.figure("", "drained", drained.Seconds(), "s")
	b.memoryFigures("", most)
	answers := res.accepted
	for _, n := range res.other {
		answers += n
	}
	b.used("overload", u, per{res.accepted, "lead"}, per{answers, "answer"})
	return nil
}

// probe posts n leads one after the other and returns how long the slowest took.
func (b *bench) probe(ctx context.Context, n int) (slowest time.Duration, err error) {
	_, err = b.probeUntil(ctx, func(took time.Duration, status int) bool {
		slowest = max(slowest, took)
		n--
		return n == 0
	})
	return slowest, err
}

// awaitRecovery probes until as many answers in a row as that needs were quick, and returns when the first of them was
// asked for.
func (b *bench) awaitRecovery(ctx context.Context, since time.Time, quick time.Duration) (time.Duration, error) {
	good := 0
	var first time.Time
	_, err := b.probeUntil(ctx, func(took time.Duration, status int) bool {
		if status != http.StatusCreated || took > quick {
			good = 0
			return false
		}
		if good++; good == 1 {
			first = time.Now().Add(-took)
		}
		return good == probesInARow
	})
	return first.Sub(since), err
}

// probeUntil posts leads one after the other until enough says so.
func (b *bench) probeUntil(ctx context.Context, enough func(time.Duration, int) bool) (n int64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, recoveryLimit, fmt.Errorf("not as fast as before after %v", recoveryLimit))
	defer cancel()
	c, err := loadgen.Dial(b.addr())
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for run := b.nextRun(); ; {
		begin := time.Now()
		got, err := c.Post("/api/v1/leads", b.Key, leadBody(nil, run, n))
		if err != nil {
			return n, err
		}
		n++
		if enough(time.Since(begin), got.Status) {
			return n, nil
		}
		if wait(ctx, probePause) != nil {
			return n, context.Cause(ctx)
		}
	}
}
