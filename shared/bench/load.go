package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// result is what one load came to. Latencies are of accepted requests.
type result struct {
	accepted  int
	other     map[int]int // status -> answers that were not 201
	unsent    int         // requests for which no worker was free in time
	begin     time.Time
	elapsed   time.Duration
	latencies []time.Duration
}

func (r *result) rate() float64 { return float64(r.accepted) / r.elapsed.Seconds() }

func (r *result) percentile(p float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(len(r.latencies)-1, int(p*float64(len(r.latencies))))]
}

func (r *result) String() string {
	s := fmt.Sprintf("%8.0f/s   p50 %-8v p99 %-8v max %v", r.rate(), r.percentile(.50).Round(10*time.Microsecond),
		r.percentile(.99).Round(10*time.Microsecond), r.percentile(1).Round(10*time.Microsecond))
	if len(r.other) > 0 {
		s += fmt.Sprintf("   not accepted: %v", r.other)
	}
	return s
}

// call makes one request on a connection of its own.
type call func(worker int, n int64) (status int, err error)

// closedLoop has each of workers send its next request when the last was answered, for d.
func closedLoop(ctx context.Context, workers int, d time.Duration, do call) (*result, error) {
	var n atomic.Int64
	end := time.Now().Add(d)
	return gather(workers, func(worker int, keep func(int, time.Duration)) error {
		for time.Now().Before(end) && ctx.Err() == nil {
			start := time.Now()
			status, err := do(worker, n.Add(1))
			if err != nil {
				return err
			}
			keep(status, time.Since(start))
		}
		return nil
	})
}

// offer is a load that does not wait for answers.
type offer struct {
	workers   int // what is in flight at most
	perSecond int
	total     int           // requests
	patience  time.Duration // a request that is still not sent after so long, as all workers wait, is given up; 0: never
}

// offered is an offer for d.
func offered(workers, perSecond int, d time.Duration) offer {
	return offer{workers: workers, perSecond: perSecond, total: int(d.Seconds() * float64(perSecond))}
}

// openLoop starts the requests of an offer when they are due, whether or not earlier ones were answered. A latency
// counts from the moment the request was due, so that a stall is seen by all it delays (no coordinated omission).
func openLoop(ctx context.Context, o offer, do call) (*result, error) {
	var n, unsent atomic.Int64
	begin := time.Now()
	res, err := gather(o.workers, func(worker int, keep func(int, time.Duration)) error {
		for ctx.Err() == nil {
			i := n.Add(1)
			if i > int64(o.total) {
				return nil
			}
			due := dueAt(begin, o.perSecond, i)
			time.Sleep(time.Until(due))
			if o.patience > 0 && time.Since(due) > o.patience {
				unsent.Add(1)
				continue
			}
			status, err := do(worker, i)
			if err != nil {
				return err
			}
			keep(status, time.Since(due))
		}
		return nil
	})
	res.begin, res.unsent = begin, int(unsent.Load())
	return res, err
}

// dueAt is when the n-th request of an open loop, counted from 1, is to be sent.
func dueAt(begin time.Time, perSecond int, n int64) time.Time {
	return begin.Add(time.Duration(float64(n-1) / float64(perSecond) * float64(time.Second)))
}

// gather runs workers and puts what they kept together.
func gather(workers int, work func(worker int, keep func(status int, latency time.Duration)) error) (*result, error) {
	all := &result{other: map[int]int{}}
	var mu sync.Mutex
	var failure error
	var wg sync.WaitGroup
	start := time.Now()
	for w := range workers {
		wg.Go(func() {
			var mine []time.Duration
			other := map[int]int{}
			err := work(w, func(status int, latency time.Duration) {
				if status == 201 {
					mine = append(mine, latency)
				} else {
					other[status]++
				}
			})
			mu.Lock()
			defer mu.Unlock()
			all.latencies = append(all.latencies, mine...)
			for status, n := range other {
				all.other[status] += n
			}
			if err != nil && failure == nil {
				failure = err
			}
		})
	}
	wg.Wait()
	all.elapsed = time.Since(start)
	all.accepted = len(all.latencies)
	slices.Sort(all.latencies)
	return all, failure
}
