package rdb

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// scanCount is how many keys Redis looks at in one call: it serves nobody else meanwhile, for about half a millisecond.
const scanCount = 1000

// DeleteKeys deletes the keys of a workspace that it finds until a time, but looks once at least. cursor is where it goes
// on, 0 to begin with; next is 0 when it has seen all. In a cluster the keys of a workspace are at one node.
func DeleteKeys(ctx context.Context, c redis.UniversalClient, workspace id.UUID, cursor uint64, until time.Time) (
	next uint64, deleted int, err error) {
	node := redis.Cmdable(c)
	if cluster, ok := c.(*redis.ClusterClient); ok {
		if node, err = cluster.MasterForKey(ctx, rateKey(workspace)); err != nil {
			return cursor, 0, fmt.Errorf("find the node of a workspace: %w", err)
		}
	}
	for {
		keys, next, err := node.Scan(ctx, cursor, workspaceKey(workspace, "*"), scanCount).Result()
		if err != nil {
			return cursor, deleted, fmt.Errorf("find keys of a workspace: %w", err)
		}
		if len(keys) > 0 {
			n, err := node.Unlink(ctx, keys...).Result()
			if err != nil {
				return cursor, deleted, fmt.Errorf("delete keys of a workspace: %w", err)
			}
			deleted += int(n)
		}
		if cursor = next; next == 0 || !time.Now().Before(until) {
			return next, deleted, nil
		}
	}
}
