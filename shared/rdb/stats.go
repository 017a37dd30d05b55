package rdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Stats is how Redis does.
type Stats struct {
	Version     string
	Memory, Max int64 // bytes; no Max: 0
	Policy      string
	Evicted     int64 // keys since it started
	Role        string
	Append      bool // it writes what it does to a file (AOF)
	SaveFailed  bool // the last snapshot, or the last write of that file
}

// ReadStats reads it; of a cluster, of one node.
func ReadStats(ctx context.Context, c redis.UniversalClient) (s Stats, err error) {
	text, err := c.Info(ctx).Result()
	if err != nil {
		return s, fmt.Errorf("redis info: %w", err)
	}
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			all[name] = value
		}
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(all[name], 10, 64) // a version that does not tell: 0
		return n
	}
	failed := func(name string) bool { return all[name] != "" && all[name] != "ok" }
	return Stats{
		Version: all["redis_version"], Memory: number("used_memory"), Max: number("maxmemory"),
		Policy: all["maxmemory_policy"], Evicted: number("evicted_keys"), Role: all["role"], Append: number("aof_enabled") == 1,
		SaveFailed: failed("rdb_last_bgsave_status") || failed("aof_last_write_status"),
	}, nil
}
