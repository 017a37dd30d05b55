package rdb

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// Bounds of the origins that are remembered of a form.
const (
	MaxRefusedOrigins = 10
	refusedOriginsFor = 7 * 24 * time.Hour // after the last one
)

// RefusedOrigin is a site whose page may not use a form, and tried to.
type RefusedOrigin struct {
	Origin string // "": the request did not say
	LastAt time.Time
}

// RememberRefusedOrigin keeps the origin among the last MaxRefusedOrigins of a form.
func RememberRefusedOrigin(ctx context.Context, c redis.UniversalClient, workspace, form id.UUID, r RefusedOrigin) error {
	key := refusedOriginsKey(workspace, form)
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, key, redis.Z{Score: float64(r.LastAt.UnixMilli()), Member: r.Origin})
		p.ZRemRangeByRank(ctx, key, 0, -MaxRefusedOrigins-1)
		p.Expire(ctx, key, refusedOriginsFor)
		return nil
	})
	if err != nil {
		return fmt.Errorf("remember refused origin: %w", err)
	}
	return nil
}

// RefusedOrigins returns the origins that were refused lately, the newest first.
func RefusedOrigins(ctx context.Context, c redis.UniversalClient, workspace, form id.UUID) ([]RefusedOrigin, error) {
	found, err := c.ZRevRangeWithScores(ctx, refusedOriginsKey(workspace, form), 0, MaxRefusedOrigins-1).Result()
	if err != nil {
		return nil, fmt.Errorf("read refused origins: %w", err)
	}
	all := make([]RefusedOrigin, len(found))
	for i, z := range found {
		origin, _ := z.Member.(string)
		all[i] = RefusedOrigin{origin, time.UnixMilli(int64(z.Score)).UTC()}
	}
	return all, nil
}
