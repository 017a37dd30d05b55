// Package lifecycle starts a process's parts in order, waits for the first reason to stop, and stops them in reverse
// order.
package lifecycle

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Group is the parts of one process. The zero value is ready.
type Group struct {
	mu    sync.Mutex
	stops []stop
	fail  chan error
	once  sync.Once
}

type stop struct {
	name string
	do   func(context.Context) error
}

func (g *Group) failures() chan error {
	g.once.Do(func() { g.fail = make(chan error, 1) })
	return g.fail
}

// OnStop registers do to run when the group stops, before everything registered earlier.
func (g *Group) OnStop(name string, do func(context.Context) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stops = append(g.stops, stop{name, do})
}

// Go runs a part until it ends; an error, or an end nobody asked for, stops the group. Register its OnStop too.
func (g *Group) Go(name string, run func() error) {
	fail := g.failures()
	go func() {
		if err := run(); err != nil {
			select {
			case fail <- fmt.Errorf("%s: %w", name, err):
			default: // only the first failure is the reason
			}
		}
	}()
}

// Drain returns a context that ends delay after ctx. Meanwhile a process says that it is not ready and serves what still
// comes, so that whoever sends requests to it can stop doing so first.
func Drain(ctx context.Context, delay time.Duration, log *slog.Logger) context.Context {
	drained, end := context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		if delay > 0 {
			log.Info("draining", "delay", delay.String())
		}
		time.AfterFunc(delay, func() { end(context.Cause(ctx)) })
	})
	return drained
}

// Wait blocks until ctx ends or a part fails, then stops every part within grace, last started first.
// It returns the failure, or nil when ctx ended; failures to stop are logged.
func (g *Group) Wait(ctx context.Context, log *slog.Logger, grace time.Duration) error {
	var reason error
	select {
	case <-ctx.Done():
		log.Info("stopping", "reason", context.Cause(ctx).Error())
	case reason = <-g.failures():
		log.Error("stopping", "reason", reason.Error())
	}
	g.Stop(log, grace)
	return reason
}

// Stop stops every part, last registered first; each gets what is left of grace.
func (g *Group) Stop(log *slog.Logger, grace time.Duration) {
	g.mu.Lock()
	stops := g.stops
	g.stops = nil
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	for i := len(stops) - 1; i >= 0; i-- {
		if err := stops[i].do(ctx); err != nil {
			log.Error("stop", "part", stops[i].name, "error", err.Error())
		}
	}
}
