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
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/rdb"
	"leadgate/shared/task"
	"leadgate/worker/internal/process"
)

const (
	sweepers  = 2  // sweeps at once: one may be slow without the next being late
	replayers = 32 // replays at once: each mostly waits for its rate
	importers = 2  // imports at once: each keeps a core busy
)

// servers are asynq's, one for each queue: each waits for tasks by itself, so none waits for another's round trip.
type servers struct {
	all    []*asynq.Server
	unwait context.CancelFunc
	// Of this process, so that a Redis that lost all loses none of them, and a sum over workers is right.
	processed, failed *prometheus.CounterVec
}

func newServers(c redis.UniversalClient, s *settings, log *slog.Logger, r prometheus.Registerer) servers {
	asynqLog := &asynqLogger{log: log, logged: map[string]time.Time{}}
	waiting, unwait := context.WithCancel(context.Background())
	counter := func(name, help string) *prometheus.CounterVec {
		return promauto.With(r).NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"queue"})
	}
	servers := servers{unwait: unwait,
		processed: counter("leadgate_queue_processed_total", "Tasks that this worker processed, failures included."),
		failed:    counter("leadgate_queue_failed_total", "Tasks that failed in this worker.")}
	for _, q := range []struct {
		name        string
		concurrency int
	}{
		{task.QueueWebhook, s.Drains},
		{task.QueueFailing, s.Probes}, // of their own: an endpoint that fails is often slow too
		{task.QueueReplay, replayers},
		{task.QueueImport, importers},
		{task.QueueEnrich, s.Enrichers},
		{task.QueueUpkeep, sweepers},
	} {
		servers.processed.WithLabelValues(q.name)
		servers.failed.WithLabelValues(q.name)
		client := rdb.QueueClient(waiting, c, q.name)
		servers.all = append(servers.all, asynq.NewServerFromRedisClient(client, asynq.Config{
			Concurrency:              q.concurrency,
			Queues:                   map[string]int{q.name: 1},
			TaskCheckInterval:        s.Poll, // after a look that found none; the next one waits for a task
			DelayedTaskCheckInterval: 2 * time.Second,
			ShutdownTimeout:          s.Grace * 9 / 10,
			RetryDelayFunc:           process.RetryDelay,
			ErrorHandler:             process.ErrorHandler(log),
			Logger:                   asynqLog,
			LogLevel:                 asynq.InfoLevel,
		}))
	}
	return servers
}

func (s servers) start(h asynq.Handler) error {
	for _, one := range s.all {
		if err := one.Start(s.counted(h)); err != nil {
			return fmt.Errorf("start queue: %w", err)
		}
	}
	return nil
}

// errPanicked is what became of a task whose handler does not return.
var errPanicked = errors.New("panicked")

// counted counts the tasks that h handles.
func (s servers) counted(h asynq.Handler) asynq.Handler {
	return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		queue, _ := asynq.GetQueueName(ctx)
		err := errPanicked
		defer func() {
			s.processed.WithLabelValues(queue).Inc()
			if err != nil {
				s.failed.WithLabelValues(queue).Inc()
			}
		}()
		err = h.ProcessTask(ctx, t)
		return err
	})
}

// stop waits for the tasks under way, in all queues at once, and no longer than ctx.
func (s servers) stop(ctx context.Context) error {
	s.unwait()
	var wg sync.WaitGroup
	for _, one := range s.all {
		wg.Go(one.Shutdown)
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return errors.New("tasks are still under way; another worker does them again")
	}
}

// repeatAfter is how long the same error of asynq is not logged again: while Redis is unavailable, every poll fails.
const repeatAfter = 30 * time.Second

// asynqLogger passes asynq's log on to slog: its information at level debug, and its errors at most once per
// repeatAfter.
type asynqLogger struct {
	log *slog.Logger

	mu     sync.Mutex
	logged map[string]time.Time // by the start of the text
}

func (l *asynqLogger) Debug(args ...any) {}
func (l *asynqLogger) Info(args ...any)  { l.log.Debug("asynq", "text", fmt.Sprint(args...)) }
func (l *asynqLogger) Warn(args ...any)  { l.limited(slog.LevelWarn, fmt.Sprint(args...)) }
func (l *asynqLogger) Error(args ...any) { l.limited(slog.LevelError, fmt.Sprint(args...)) }
func (l *asynqLogger) Fatal(args ...any) { l.log.Error("asynq", "text", fmt.Sprint(args...)) }

func (l *asynqLogger) limited(level slog.Level, text string) {
	subject, _, _ := strings.Cut(text, ":")
	if len(subject) > 24 { // a longer one names a task
		subject = subject[:24]
	}
	now := time.Now()
	l.mu.Lock()
	last, known := l.logged[subject]
	again := !known || now.Sub(last) >= repeatAfter
	if again {
		l.logged[subject] = now
	}
	l.mu.Unlock()
	if again {
		l.log.Log(context.Background(), level, "asynq", "text", text)
	}
}
