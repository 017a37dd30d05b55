package rdb

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// queuesKey is asynq's set of known queues: what the dashboard lists.
const queuesKey = "asynq:queues"

// AnnounceQueues writes the names of queues where the dashboard looks for them. An asynq client does so only once, so
// nobody else would after Redis came back empty.
func AnnounceQueues(ctx context.Context, c redis.UniversalClient, queues ...string) error {
	members := make([]any, len(queues))
	for i, q := range queues {
		members[i] = q
	}
	return c.SAdd(ctx, queuesKey, members...).Err()
}

// QueueEmpty reports whether no task waits in an asynq queue. The task of a wake-up that is waiting is lost then.
func QueueEmpty(ctx context.Context, c redis.UniversalClient, queue string) (bool, error) {
	n, err := c.LLen(ctx, pendingKey(queue)).Result()
	return n == 0, err
}
