package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// memory shows what Redis holds while more and more deliveries wait for an endpoint where nobody listens.
func (b *bench) memory(ctx context.Context) error {
	if b.Redis.Kind() != devstack.RedisServer {
		b.printf("not run: no redis-server here, and the stand-in does not tell its memory")
		return nil
	}
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	t, err := loadgen.NewTenant(ctx, s.db, "memory")
	if err != nil {
		return err
	}
	port, err := devstack.FreePort()
	if err != nil {
		return err
	}
	dead := webhook.Endpoint{URL: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + "/dead"}
	if dead, err = loadgen.NewEndpoint(ctx, s.db, t.Workspace, dead); err != nil {
		return err
	}
	have := 0
	for _, want := range []int{0, b.large / 10, b.large} {
		s.step("filling %d leads", want-have)
		fill := loadgen.Fill{Workspace: t.Workspace, Run: b.nextRun(), Leads: want - have, Wake: s.wake}
		if err := s.unenriched(ctx, func() error { return fill.Into(ctx, s.db) }); err != nil { // without reservations
			return err
		}
		have = want
		if err := s.measureMemory(ctx, t.Workspace, dead.ID); err != nil {
			return err
		}
	}
	return nil
}

// measureMemory waits for the sweeps that follow a change and prints what Redis holds then.
func (s *fixture) measureMemory(ctx context.Context, workspace, endpoint id.UUID) error {
	u, err := s.metered(ctx, func() error {
		select {
		case <-time.After(s.sweeps):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return err
	}
	const waiting = `select count(*) from deliveries where workspace_id = $1 and endpoint_id = $2 and state = 'pending'`
	n, err := s.count(ctx, waiting, workspace, endpoint)
	if err != nil {
		return err
	}
	made, err := s.count(ctx, `select count(*) from attempts where workspace_id = $1`, workspace)
	if err != nil {
		return err
	}
	w, err := s.redisMemory(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	if _, err := s.db.DueEndpoints(ctx, time.Time{}, 5000); err != nil {
		return err
	}
	look := time.Since(begin)
	s.printf(
		"%7d wait, %d attempts made: Redis uses %.2f MB for %d keys; %d asynq keys have %.1f kB, %d of them tasks that ended in the last minute; the sweep looks for due endpoints in %v",
		n, made, float64(w.used)/1e6, w.keys, w.asynq, float64(w.asynqBytes)/1e3, w.ended, tenths(look))
	name := fmt.Sprintf("%d waiting", n)
	s.figure(name, "redis_memory", float64(w.used), "bytes")
	s.figure(name, "redis_keys", float64(w.keys), "keys")
	s.used(name, u, per{max(1, int(s.sweeps.Seconds())), "second"})
	return nil
}

// redisMemory is what Redis holds.
type redisMemory struct {
	used       int64 // bytes, as INFO tells
	keys       int64
	asynq      int // keys
	asynqBytes int64
	ended      int64 // tasks kept to be read
}

var usedMemory = regexp.MustCompile(`(?m)^used_memory:(\d+)`)

func (s *fixture) redisMemory(ctx context.Context) (w redisMemory, err error) {
	if w.keys, err = s.redis.DBSize(ctx).Result(); err != nil {
		return w, err
	}
	info, err := s.redis.Info(ctx, "memory").Result()
	if err != nil {
		return w, err
	}
	m := usedMemory.FindStringSubmatch(info)
	if m == nil {
		return w, errors.New("INFO memory without used_memory")
	}
	if w.used, err = strconv.ParseInt(m[1], 10, 64); err != nil {
		return w, err
	}
	for _, queue := range task.Queues() {
		n, err := s.redis.ZCard(ctx, "asynq:{"+queue+"}:completed").Result()
		if err != nil {
			return w, err
		}
		w.ended += n
	}
	all := s.redis.Scan(ctx, 0, "asynq:*", 1000).Iterator()
	for all.Next(ctx) {
		size, err := s.redis.MemoryUsage(ctx, all.Val()).Result()
		if err != nil {
			continue // it has just gone
		}
		w.asynq++
		w.asynqBytes += size
	}
	if err := all.Err(); err != nil {
		return w, fmt.Errorf("scan Redis: %w", err)
	}
	return w, nil
}
