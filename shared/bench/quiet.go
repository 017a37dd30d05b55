package main

import (
	"context"
	"fmt"
	"time"

	"leadgate/shared/loadgen"
)

// quiet posts few leads, so few that hardly two share a commit, and looks at what each costs.
func (b *bench) quiet(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	t, err := loadgen.NewTenant(ctx, s.db, "quiet")
	if err != nil {
		return err
	}
	for _, perSecond := range b.quietly {
		if err := s.postSteadily(ctx, fmt.Sprintf("%d a second", perSecond), perSecond, []loadgen.Tenant{t}); err != nil {
			return err
		}
	}
	return nil
}

// postSteadily posts leads in an open loop for as long as little needs, and notes how late answers were and what was
// used: the n-th lead is one of the tenant that is the n-th of whose, again and again. What has to be done once, such as
// making connections, is done before.
func (s *fixture) postSteadily(ctx context.Context, name string, perSecond int, whose []loadgen.Tenant) error {
	length := max(s.duration, s.steady)
	s.step("%s: %v", name, length)
	conns := min(openConns, max(8, perSecond))
	post := func(d time.Duration) (*result, error) {
		do, done, err := postsBy(s.nextRun(), s.addr(), "/api/v1/leads", func(n int64) string {
			return whose[int(n)%len(whose)].Key
		}, conns)
		if err != nil {
			return nil, err
		}
		defer done()
		res, err := openLoop(ctx, offered(conns, perSecond, d), do)
		if err != nil {
			return nil, err
		}
		return res, s.awaitAllIdle(ctx)
	}
	if _, err := post(s.warmUp()); err != nil {
		return err
	}
	var res *result
	u, err := s.metered(ctx, func() (err error) {
		res, err = post(length)
		return err
	})
	if err != nil {
		return err
	}
	s.printf("%-36s %v", name, res)
	s.figures(name, res)
	s.used(name, u, per{res.accepted, "lead"})
	return nil
}

// warmUp is how long a load runs before it is measured.
func (o *options) warmUp() time.Duration { return min(2*time.Second, max(o.duration, o.steady)/4) }

// idle looks at what a system does that has nothing to do.
func (b *bench) idle(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	t, err := loadgen.NewTenant(ctx, s.db, "idle")
	if err != nil {
		return err
	}
	if _, err := s.postAt(ctx, t, b.nextRun(), 50, s.warmUp()); err != nil { // it has been used
		return err
	}
	if err := s.awaitAllIdle(ctx); err != nil {
		return err
	}
	if err := wait(ctx, b.sweeps); err != nil { // the last wake-ups and sweeps of that
		return err
	}
	b.step("%v", b.idling)
	u, err := b.metered(ctx, func() error { return wait(ctx, b.idling) })
	if err != nil {
		return err
	}
	seconds := u.elapsed.Seconds()
	for _, part := range parts() {
		if us, there := u.cpu[part]; there {
			percent := us / 1e4 / seconds
			b.printf("%-9s %5.2f %% of a core", part, percent)
			b.figure("", "percent."+part, percent, "% of a core")
		}
	}
	b.printf("%.1f SQL statements and %.1f Redis commands a second", float64(total(u.statements))/seconds,
		float64(total(u.commands))/seconds)
	b.used("idle", u, per{max(1, int(seconds+.5)), "second"})
	return nil
}

// wait waits for d.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
