package rdb

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// SpendWork uses a proof of work of a workspace up, by its challenge, and reports whether it is the first time; that is
// remembered for so long.
func SpendWork(ctx context.Context, c redis.UniversalClient, workspace id.UUID, challenge string,
	remember time.Duration) (first bool, err error) {
	first, err = c.SetNX(ctx, workKey(workspace, challenge), 1, remember).Result()
	if err != nil {
		return false, fmt.Errorf("spend proof of work: %w", err)
	}
	return first, nil
}
