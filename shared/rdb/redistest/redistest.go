// Package redistest gives each test a Redis of its own. REDIS_SERVER names the program to run, where not the
// redis-server that is installed is meant: `go run ./shared/devstack/matrix -redis` runs the tests on several.
package redistest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/devstack"
	"leadgate/shared/rdb"
)

// New returns a client of a new and empty Redis, which ends with t.
func New(t testing.TB) redis.UniversalClient {
	t.Helper()
	return Open(t, Start(t))
}

// Start starts a Redis that t may stop and start; it ends with t. It is redis-server, or the in-process stand-in where
// that is missing.
func Start(t testing.TB) *devstack.Redis {
	t.Helper()
	return start(t, devstack.RedisOptions{})
}

// StartInProcess starts the stand-in wherever t runs.
func StartInProcess(t testing.TB) *devstack.Redis {
	t.Helper()
	return start(t, devstack.RedisOptions{InProcess: true})
}

// StartWith starts a redis-server with options that the stand-in does not have; t is skipped where that is missing.
func StartWith(t testing.TB, opt devstack.RedisOptions) *devstack.Redis {
	t.Helper()
	need(t)
	if opt.Dir == "" {
		opt.Dir = dir(t)
	}
	return start(t, opt)
}

// StartCluster starts a cluster that ends with t, which is skipped where there is no redis-server.
func StartCluster(t testing.TB, opt devstack.ClusterOptions) *devstack.RedisCluster {
	t.Helper()
	need(t)
	opt.Dir, opt.Getenv = dir(t), os.Getenv
	c, err := devstack.StartRedisCluster(t.Context(), opt)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	t.Cleanup(c.Kill)
	return c
}

// StartSentinel starts a Sentinel that watches master under this name.
func StartSentinel(t testing.TB, opt devstack.RedisOptions, name string, master *devstack.Redis) *devstack.Redis {
	t.Helper()
	opt.Dir, opt.Getenv = dir(t), os.Getenv
	s, err := devstack.StartSentinel(t.Context(), opt, name, master)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	t.Cleanup(func() { s.Kill() })
	return s
}

// Old reports whether the Redis that tests run on is older than 6.2: it knows no BLMOVE, and no channels of a user.
func Old(t testing.TB) bool {
	t.Helper()
	need(t)
	info, err := New(t).Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	var major, minor int
	if _, version, found := strings.Cut(info, "redis_version:"); !found {
		t.Fatalf("redistest: no version in %q", info)
	} else if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		t.Fatalf("redistest: %v", err)
	}
	return major < 6 || major == 6 && minor < 2
}

func need(t testing.TB) {
	t.Helper()
	if !devstack.HasRedisServer(os.Getenv) {
		t.Skip("redis-server is not installed, and the in-process stand-in has no clusters, TLS or users")
	}
}

// dir is a directory that the server's user can reach.
func dir(t testing.TB) string {
	t.Helper()
	d, err := devstack.TempDir("leadgate-redis-")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(d) })
	return d
}

func start(t testing.TB, opt devstack.RedisOptions) *devstack.Redis {
	t.Helper()
	opt.Getenv = os.Getenv
	r, err := devstack.StartRedis(t.Context(), opt)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	t.Cleanup(func() { r.Kill() })
	return r
}

// Open returns a client of r, closed when t ends. It waits longer than a gateway does: a busy test machine is not an
// outage.
func Open(t testing.TB, r *devstack.Redis) redis.UniversalClient {
	t.Helper()
	return OpenURL(t, r.URL(), rdb.Options{Timeout: 5 * time.Second})
}

// OpenURL returns a client that is closed when t ends.
func OpenURL(t testing.TB, url string, opt rdb.Options) redis.UniversalClient {
	t.Helper()
	client, err := rdb.Open(url, opt)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}
