package rdb_test

import (
	"context"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
)

// Two idle workers of one queue cost Redis next to nothing, and each task begins once, however long they have waited.
func TestIdleQueues(t *testing.T) {
	t.Parallel()
	if redistest.Old(t) {
		t.Skip("Redis before 6.2 has nothing in which workers wait")
	}
	c := redistest.New(t)
	stop, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan string, 100)
	handler := asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error { done <- string(task.Payload()); return nil })
	for range 2 {
		s := asynq.NewServerFromRedisClient(rdb.QueueClient(stop, c, "q"), asynq.Config{Concurrency: 2,
			Queues: map[string]int{"q": 1}, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel})
		if err := s.Start(handler); err != nil {
			t.Fatal(err)
		}
		defer s.Shutdown()
	}
	waits := func() bool { return blocked(t, c) == 2 }
	testwait.Until(t, "both workers wait in Redis", waits)
	before := looks(t, c)
	client := asynq.NewClientFromRedisClient(c)
	for _, payload := range []string{"a", "b", "c"} {
		if _, err := client.Enqueue(asynq.NewTask("t", []byte(payload)), asynq.Queue("q")); err != nil {
			t.Fatal(err)
		}
		if got := <-done; got != payload {
			t.Errorf("the task that ran is %q, want %q", got, payload)
		}
		testwait.Until(t, "both workers wait again", waits)
	}
	select {
	case again := <-done:
		t.Errorf("task %q ran twice", again)
	default:
	}
	if n := looks(t, c) - before; n > 100 {
		t.Errorf("three tasks took %d looks at the queue, want few: workers wait instead", n)
	}
	cancel()
}

func blocked(t *testing.T, c redis.UniversalClient) int {
	t.Helper()
	return infoInt(t, c, "clients", `blocked_clients:(\d+)`)
}

// looks is how often a task was asked for.
func looks(t *testing.T, c redis.UniversalClient) int {
	t.Helper()
	return infoInt(t, c, "commandstats", `cmdstat_rpoplpush:calls=(\d+)`)
}

func infoInt(t *testing.T, c redis.UniversalClient, section, pattern string) int {
	t.Helper()
	text, err := c.Info(t.Context(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
