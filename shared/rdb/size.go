package rdb

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Size is how large Postgres was at a time.
type Size struct {
	At    time.Time `json:"at"`
	Bytes int64     `json:"bytes"`
}

// sizeDays is how many days of sizes are kept, one of each.
const sizeDays = 28

// KeepSize keeps how large Postgres is, as the size of its day, and removes those of former ones.
func KeepSize(ctx context.Context, c redis.UniversalClient, s Size) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	days, err := c.HKeys(ctx, sizesKey).Result()
	if err != nil {
		return err
	}
	day := func(at time.Time) string { return at.UTC().Format(time.DateOnly) }
	oldest := day(s.At.AddDate(0, 0, -sizeDays))
	old := slices.DeleteFunc(days, func(d string) bool { return d >= oldest })
	_, err = c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		if len(old) > 0 {
			pipe.HDel(ctx, sizesKey, old...)
		}
		pipe.HSet(ctx, sizesKey, day(s.At), text)
		pipe.Expire(ctx, sizesKey, 2*sizeDays*24*time.Hour)
		return nil
	})
	return err
}

// Sizes returns the sizes that are kept, the oldest first.
func Sizes(ctx context.Context, c redis.UniversalClient) (all []Size, err error) {
	kept, err := c.HGetAll(ctx, sizesKey).Result()
	for _, text := range kept {
		var s Size
		if json.Unmarshal([]byte(text), &s) == nil {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Size) int { return a.At.Compare(b.At) })
	return all, err
}
