package lifecycle_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/lifecycle"
)

// diary records what was stopped, in order.
type diary struct {
	mu    sync.Mutex
	names []string
}

func (d *diary) stop(name string, err error) func(context.Context) error {
	return func(context.Context) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.names = append(d.names, name)
		return err
	}
}

func TestStopsInReverseOrder(t *testing.T) {
	t.Parallel()
	var g lifecycle.Group
	var d diary
	for _, name := range []string{"store", "queue", "listener"} {
		g.OnStop(name, d.stop(name, nil))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt"))
	if err := g.Wait(ctx, quiet(), time.Second); err != nil {
		t.Errorf("Wait() = %v, want nil: it was asked to stop", err)
	}
	if diff := cmp.Diff([]string{"listener", "queue", "store"}, d.names); diff != "" {
		t.Errorf("stopped in another order (-want +got):\n%s", diff)
	}
	g.Stop(quiet(), time.Second)
	if len(d.names) != 3 {
		t.Errorf("a second Stop() stopped again: %v", d.names)
	}
}

func TestFirstFailureStopsAllAndIsTheReason(t *testing.T) {
	t.Parallel()
	var g lifecycle.Group
	var d diary
	broken, later := errors.New("port is taken"), make(chan struct{})
	g.OnStop("store", d.stop("store", errors.New("stuck"))) // a part that cannot stop does not keep the others
	g.OnStop("listener", func(ctx context.Context) error {
		close(later)
		return d.stop("listener", nil)(ctx)
	})
	g.Go("worker", func() error { <-later; return errors.New("came second") })
	g.Go("idle", func() error { return nil })
	g.Go("listener", func() error { return broken })
	var log strings.Builder
	err := g.Wait(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), time.Second)
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "listener: ") {
		t.Errorf("Wait() = %v, want the listener's failure", err)
	}
	if diff := cmp.Diff([]string{"listener", "store"}, d.names); diff != "" {
		t.Errorf("stopped in another order (-want +got):\n%s", diff)
	}
	if !strings.Contains(log.String(), "part=store error=stuck") {
		t.Errorf("log = %s, want the part that could not stop", log.String())
	}
}

func TestStopHasOneGraceForAll(t *testing.T) {
	t.Parallel()
	var g lifecycle.Group
	var deadlines []time.Time
	for range 2 {
		g.OnStop("part", func(ctx context.Context) error {
			at, _ := ctx.Deadline()
			deadlines = append(deadlines, at)
			return nil
		})
	}
	before := time.Now()
	g.Stop(quiet(), time.Minute)
	if len(deadlines) != 2 || deadlines[0] != deadlines[1] || deadlines[0].Before(before.Add(time.Minute)) ||
		deadlines[0].After(time.Now().Add(time.Minute)) {
		t.Errorf("parts had deadlines %v, want one, a minute from the start", deadlines)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
