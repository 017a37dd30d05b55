package rdb

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// queuesKey is asynq's set of known queues: what the dashboard lists.
const queuesKey = "asynq:queues"

// AnnounceQueues writes the names of queues where the dashboard looks for them. An asynq client does so once in its life,
// so after a Redis that came back empty nobody else would.
func AnnounceQueues(ctx context.Context, c redis.UniversalClient, queues ...string) error {
	members := make([]any, len(queues))
	for i, q := range queues {
		members[i] = q
	}
	return c.SAdd(ctx, queuesKey, members...).Err()
}
