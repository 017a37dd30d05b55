package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/task"
	"leadgate/worker/internal/process"
)

const (
	sweepers  = 2                      // sweeps at once: one may be slow without the next being late
	replayers = 32                     // replays at once: each mostly waits for its rate
	importers = 2                      // imports at once: each keeps a core busy
	calm      = 100 * time.Millisecond // between looks into queues in which nothing is urgent
)

// servers are asynq's, one for each queue: each polls by itself, so none waits for another's round trip.
type servers []*asynq.Server

func newServers(c redis.UniversalClient, s *settings, log *slog.Logger) servers {
	quiet := &asynqLog{log: log, said: map[string]time.Time{}}
	var all servers
	for _, q := range []struct {
		name        string
		concurrency int
		poll        time.Duration
	}{
		{task.QueueWebhook, s.Drains, s.Poll},
		{task.QueueFailing, s.Probes, max(s.Poll, calm)}, // slots of their own: who fails is often slow too
		{task.QueueReplay, replayers, max(s.Poll, calm)},
		{task.QueueImport, importers, max(s.Poll, calm)},
		{task.QueueEnrich, s.Enrichers, s.Poll},
		{task.QueueUpkeep, sweepers, s.Poll},
	} {
		all = append(all, asynq.NewServerFromRedisClient(c, asynq.Config{
			Concurrency:              q.concurrency,
			Queues:                   map[string]int{q.name: 1},
			TaskCheckInterval:        q.poll,
			DelayedTaskCheckInterval: time.Second,
			ShutdownTimeout:          s.Grace * 9 / 10,
			RetryDelayFunc:           process.RetryDelay,
			ErrorHandler:             process.ErrorHandler(log),
			Logger:                   quiet,
			LogLevel:                 asynq.InfoLevel,
		}))
	}
	return all
}

func (all servers) start(h asynq.Handler) error {
	for _, s := range all {
		if err := s.Start(h); err != nil {
			return fmt.Errorf("start queue: %w", err)
		}
	}
	return nil
}

// stop waits for the tasks under way, in all queues at once, and no longer than ctx.
func (all servers) stop(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(s.Shutdown)
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return errors.New("tasks are still under way; they are owed and will be done again")
	}
}

// sayAgain is how long asynq must wait to repeat itself: while Redis is away its parts complain about every poll.
const sayAgain = 30 * time.Second

// asynqLog hands asynq's words to slog. Its news are debug news here; its errors, the same one only now and then.
type asynqLog struct {
	log *slog.Logger

	mu   sync.Mutex
	said map[string]time.Time // by the start of the text
}

func (l *asynqLog) Debug(args ...any) {}
func (l *asynqLog) Info(args ...any)  { l.log.Debug("asynq", "text", fmt.Sprint(args...)) }
func (l *asynqLog) Warn(args ...any)  { l.rarely(slog.LevelWarn, fmt.Sprint(args...)) }
func (l *asynqLog) Error(args ...any) { l.rarely(slog.LevelError, fmt.Sprint(args...)) }
func (l *asynqLog) Fatal(args ...any) { l.log.Error("asynq", "text", fmt.Sprint(args...)) }

func (l *asynqLog) rarely(level slog.Level, text string) {
	what, _, _ := strings.Cut(text, ":")
	if len(what) > 24 { // what is longer names tasks
		what = what[:24]
	}
	now := time.Now()
	l.mu.Lock()
	last, known := l.said[what]
	tell := !known || now.Sub(last) >= sayAgain
	if tell {
		l.said[what] = now
	}
	l.mu.Unlock()
	if tell {
		l.log.Log(context.Background(), level, "asynq", "text", text)
	}
}
