package rdb

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Bounds of what is kept of failed requests, of each class.
const (
	MaxFailures = 200
	FailureLife = 7 * 24 * time.Hour
)

// PushFailures adds texts, the oldest first, to the newest failures of a class.
func PushFailures(ctx context.Context, c redis.UniversalClient, class string, texts []string) error {
	values := make([]any, len(texts))
	for i, text := range texts {
		values[i] = text
	}
	key := failuresKey(class)
	_, err := c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.LPush(ctx, key, values...)
		pipe.LTrim(ctx, key, 0, MaxFailures-1)
		pipe.Expire(ctx, key, FailureLife)
		return nil
	})
	return err
}

// Failures returns the failures of a class, the newest first.
func Failures(ctx context.Context, c redis.UniversalClient, class string) ([]string, error) {
	return c.LRange(ctx, failuresKey(class), 0, MaxFailures-1).Result()
}
