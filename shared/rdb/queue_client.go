package rdb

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// queueWait is how long an empty queue is waited for in one command: a connection that is lost without a word is
// noticed that late.
const queueWait = 2 * time.Second

// QueueClient returns c for the asynq server of one queue, which asks again and again whether there is a task. While
// there is none, each look waits in Redis until there is one, so that an idle server costs two commands in queueWait
// and begins at once. stop ends the waiting, for good.
//
// It moves the last task of the list to where it is: BLMOVE waits for one and changes nothing. Redis before 6.2 does
// not know it; there each look is one command, as asynq means it.
func QueueClient(stop context.Context, c redis.UniversalClient, queue string) redis.UniversalClient {
	return &queueClient{UniversalClient: c, stop: stop, pending: pendingKey(queue)}
}

func pendingKey(queue string) string { return "asynq:{" + queue + "}:pending" }

type queueClient struct {
	redis.UniversalClient
	stop    context.Context
	pending string
	empty   atomic.Bool // at the last look
	old     atomic.Bool // Redis does not know BLMOVE
}

// dequeueKeys is how many keys asynq's script has that takes a task; the first is the queue's pending list.
const dequeueKeys = 4

// EvalSha runs asynq's scripts; the one that takes a task waits before.
func (q *queueClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if len(keys) != dequeueKeys || keys[0] != q.pending {
		return q.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}
	if q.empty.Load() && !q.old.Load() {
		q.wait()
	}
	cmd := q.UniversalClient.EvalSha(ctx, sha, keys, args...)
	q.empty.Store(errors.Is(cmd.Err(), redis.Nil))
	return cmd
}

// wait returns when there is a task, or there may be one.
func (q *queueClient) wait() {
	answered := make(chan struct{})
	go func() { // go-redis does not end a command under way when its context is cancelled
		defer close(answered)
		ctx, cancel := context.WithTimeout(context.Background(), queueWait+time.Second)
		defer cancel()
		err := q.BLMove(ctx, q.pending, q.pending, "RIGHT", "RIGHT", queueWait).Err()
		if err != nil && strings.Contains(strings.ToLower(err.Error()), "unknown command") {
			q.old.Store(true)
		}
	}()
	select {
	case <-answered:
	case <-q.stop.Done():
	}
}
