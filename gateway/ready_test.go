package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestReadinessCostsOnePingASecond(t *testing.T) {
	t.Parallel()
	var pings, ahead atomic.Int64
	var away atomic.Bool
	refused := errors.New("refused")
	r := newReadiness(func(ctx context.Context) error {
		pings.Add(1)
		if err := ctx.Err(); err != nil {
			return err
		}
		if away.Load() {
			return refused
		}
		return nil
	}, func() time.Time { return time.Unix(1_000_000, ahead.Load()) }, nil)

	left, leave := context.WithCancel(t.Context())
	leave()
	if err := r.check(left); err != nil {
		t.Errorf("check() for a caller that has left = %v, want nil: the answer is everybody's", err)
	}
	away.Store(true)
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			if err := r.check(t.Context()); err != nil {
				t.Errorf("check() within a second = %v, want the answer before", err)
			}
		})
	}
	callers.Wait()
	ahead.Add(int64(time.Second))
	for range 50 {
		callers.Go(func() {
			if err := r.check(t.Context()); !errors.Is(err, refused) {
				t.Errorf("check() a second later = %v, want %v", err, refused)
			}
		})
	}
	callers.Wait()
	if n := pings.Load(); n != 2 {
		t.Errorf("100 callers within two seconds made %d pings, want 2", n)
	}
}
