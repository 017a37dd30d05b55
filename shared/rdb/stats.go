package rdb

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

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

// ReadStats reads it; of a cluster, all masters: their memory and what they have thrown away together, and of the rest
// the worst.
func ReadStats(ctx context.Context, c redis.UniversalClient) (s Stats, err error) {
	cluster, ok := c.(*redis.ClusterClient)
	if !ok {
		return readStats(ctx, c)
	}
	var mu sync.Mutex
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		one, err := readStats(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		s.add(one)
		return err
	})
	return s, err
}

func (s *Stats) add(o Stats) {
	if s.Version == "" {
		s.Append = o.Append
	}
	s.Version, s.Policy, s.Role = cmp.Or(s.Version, o.Version), cmp.Or(s.Policy, o.Policy), cmp.Or(s.Role, o.Role)
	s.Memory, s.Max, s.Evicted = s.Memory+o.Memory, s.Max+o.Max, s.Evicted+o.Evicted
	s.Append, s.SaveFailed = s.Append && o.Append, s.SaveFailed || o.SaveFailed
}

func readStats(ctx context.Context, c redis.Cmdable) (s Stats, err error) {
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
		Policy: all["maxmemory_policy"], Evicted: number("evicted_keys"), Role: all["role"],
		Append:     number("aof_enabled") == 1,
		SaveFailed: failed("rdb_last_bgsave_status") || failed("aof_last_write_status"),
	}, nil
}
