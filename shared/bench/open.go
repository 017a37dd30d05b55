package main

import (
	"context"
	"fmt"
	"slices"
)

// openConns is how many connections an open loop has; more than are ever in flight, unless something is slow.
const openConns = 256

// open offers leads at fixed rates, whatever the answers do: at some that can be compared with those of other machines,
// and at parts of the most that this one takes.
func (b *bench) open(ctx context.Context) error {
	peak, err := b.peak(ctx)
	if err != nil {
		return err
	}
	rates := map[int]string{100: "", 1000: "", 3000: ""}
	for _, percent := range []int{10, 25, 50, 75, 90} {
		rates[max(1, int(peak)*percent/100)] = fmt.Sprintf("%d %% of the peak", percent)
	}
	var points []point
	for _, perSecond := range sortedRates(rates) {
		if float64(perSecond) > peak { // that is what overload does
			continue
		}
		name := rates[perSecond]
		if name == "" {
			name = fmt.Sprintf("%d a second", perSecond)
		}
		b.step("%d/s", perSecond)
		do, done, err := b.posts(b.addr(), "/api/v1/leads", b.Key)(openConns)
		if err != nil {
			return err
		}
		var res *result
		u, err := b.metered(ctx, func() error {
			if res, err = openLoop(ctx, offered(openConns, perSecond, b.duration), do); err != nil {
				return err
			}
			return b.awaitAllIdle(ctx)
		})
		done()
		if err != nil {
			return err
		}
		b.printf("%5d/s offered, %-16s %v", perSecond, rates[perSecond], res)
		b.figures(name, res)
		b.used(name, u, per{res.accepted, "lead"})
		if name == "50 % of the peak" {
			if err := b.bareAt(ctx, perSecond); err != nil {
				return err
			}
		}
		points = append(points, point{perSecond, res.percentile(.50), res.percentile(.99)})
	}
	if b.svg == "" || len(points) == 0 {
		return nil
	}
	title := fmt.Sprintf("Latency of POST /api/v1/leads, leadgate %.12s", b.report.Version)
	return writeFile(b.svg, plot(title, points))
}

// bareAt offers bare INSERTs at the same rate, whose latencies are those of the disk and of the machine.
func (b *bench) bareAt(ctx context.Context, perSecond int) error {
	b.step("%d/s, bare", perSecond)
	res, err := openLoop(ctx, offered(openConns, perSecond, b.duration), b.base.inserts(ctx, b.nextRun()))
	if err != nil {
		return err
	}
	b.printf("%5d/s offered, %-16s %v", perSecond, "as bare INSERTs", res)
	b.figures("bare INSERTs", res)
	return nil
}

func sortedRates(rates map[int]string) (all []int) {
	for perSecond := range rates {
		all = append(all, perSecond)
	}
	slices.Sort(all)
	return all
}

// peak is how many leads a second a closed loop of many connections gets accepted.
func (b *bench) peak(ctx context.Context) (perSecond float64, err error) {
	b.step("the peak")
	conns := slices.Max(b.conns)
	do, done, err := b.posts(b.addr(), "/api/v1/leads", b.Key)(conns)
	if err != nil {
		return 0, err
	}
	defer done()
	res, err := closedLoop(ctx, conns, b.duration, do)
	if err != nil {
		return 0, err
	}
	b.printf("%5.0f/s is the peak: a closed loop of %d connections", res.rate(), conns)
	b.figure("", "peak", res.rate(), "1/s")
	return res.rate(), b.awaitAllIdle(ctx)
}
