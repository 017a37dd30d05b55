// Package redistest gives each test a Redis of its own.
package redistest

import (
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

func start(t testing.TB, opt devstack.RedisOptions) *devstack.Redis {
	t.Helper()
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
	client, err := rdb.Open(r.URL(), rdb.Options{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}
