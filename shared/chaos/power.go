package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadgate/shared/devstack"
)

// powers are the scenarios in which the power of Postgres' machine is cut.
func powers() []scenario {
	return []scenario{
		{name: "power-cut", what: "the power of Postgres' machine is cut again and again, which leaves of its files what was synced, and some of what was not",
			rules: rules{unavailable: true, slowest: 10 * time.Second}, powerCuts: true, short: true, inject: cutPower},
	}
}

// cutPower cuts the power at moments in which leads are being made. Every other time there is a checkpoint, and a part
// of what was not synced is there too.
func cutPower(ctx context.Context, run *runner) error {
	if run.unsafe != "" {
		if err := run.turnOff(ctx, run.unsafe); err != nil {
			return err
		}
	}
	random := run.random(run.conns) // beside those of the load
	return run.during(func() error {
		for n := range run.cuts {
			if err := run.awaitCreated(ctx); err != nil {
				return fmt.Errorf("after %d cuts: %w", n, err)
			}
			pause(ctx, time.Duration(random.Int64N(int64(time.Second))))
			keep := func() bool { return false }
			if n%2 == 1 {
				keep = func() bool { return random.IntN(2) == 0 }
				go run.db.ExecContext(ctx, "checkpoint") // which ends with the power
				pause(ctx, time.Duration(random.Int64N(int64(100*time.Millisecond))))
			}
			if err := run.Postgres.CutPower(keep); err != nil {
				return err
			}
			if err := run.Postgres.Start(ctx); err != nil {
				return fmt.Errorf("after %d cuts: %w", n+1, err)
			}
		}
		return nil
	})
}

// turnOff turns a setting of Postgres off, for all sessions.
func (run *runner) turnOff(ctx context.Context, setting string) error {
	for _, q := range []string{"alter system set " + setting + " = off", "select pg_reload_conf()"} {
		if _, err := run.db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("turn %s off: %w", setting, err)
		}
	}
	return nil
}

// awaitCreated waits until a lead is made.
func (run *runner) awaitCreated(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	for before := run.load.created.Load(); run.load.created.Load() == before; {
		if !pause(ctx, 10*time.Millisecond) {
			return errors.New("no lead is taken in any more")
		}
	}
	return nil
}

// errPower says why the power cannot be cut here.
func errPower(err error) error {
	if errors.Is(err, devstack.ErrNoPowerCuts) {
		err = fmt.Errorf("%w: %w", errNotHere, err)
	}
	return err
}
