package rdb

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// Endpoints that got deliveries are put into one sorted set, by when they did, and one task of the whole installation
// takes them from there: where deliveries come one at a time they cost no task each. An endpoint is in it once, however
// many deliveries wait.

// WokenEndpoint is an endpoint that got deliveries.
type WokenEndpoint struct{ Workspace, Endpoint id.UUID }

const (
	wokenInOneCall = 1000            // endpoints: a script's arguments are on a small stack
	wokenRunning   = 3 * time.Second // what a killed process had to take waits no longer
	wokenWait      = time.Second     // how long one look waits for an endpoint; Redis before 6 knows whole seconds only
)

// WokenTask is the wake-up of the task that takes woken endpoints.
func WokenTask() WakeKey { return WakeKey{What: "woken", Running: wokenRunning} }

func wokenKey() string { return workspaceKey(id.UUID{}, "woken") }

// wokenScript adds endpoints and wakes their task.
//
//	KEYS[1]  wake-up
//	KEYS[2]  woken endpoints
//	ARGV[1]  TTL of waiting, milliseconds
//	ARGV[2]  TTL, milliseconds, at or below which the task of a waiting key counts as lost
//	ARGV[3]  now, milliseconds
//	ARGV[4]  and all that follow: endpoints
//	returns  1 when the caller must enqueue the task, else 0
var wokenScript = redis.NewScript(`
local add = {'NX'}
for i = 4, #ARGV do
  add[#add + 1] = ARGV[3]
  add[#add + 1] = ARGV[i]
end
redis.call('ZADD', KEYS[2], unpack(add))
redis.call('PEXPIRE', KEYS[2], ARGV[1])
` + wakeLua)

func wokenOp(endpoints []WokenEndpoint) op {
	args := []any{WaitingTTL.Milliseconds(), never, time.Now().UnixMilli()}
	for _, e := range endpoints {
		args = append(args, append(e.Workspace[:], e.Endpoint[:]...))
	}
	return op{wokenScript, []string{WokenTask().key(), wokenKey()}, args}
}

// TakeWoken takes woken endpoints, limit at most, those that wait longest first. Where there are none it waits for one,
// for a second at most.
func TakeWoken(ctx context.Context, c redis.UniversalClient, limit int) (all []WokenEndpoint, err error) {
	found, err := c.ZPopMin(ctx, wokenKey(), int64(limit)).Result()
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		first, err := c.BZPopMin(ctx, wokenWait, wokenKey()).Result()
		switch {
		case errors.Is(err, redis.Nil):
			return nil, nil
		case err != nil:
			return nil, err
		}
		found = []redis.Z{first.Z}
	}
	for _, z := range found {
		member, _ := z.Member.(string)
		var e WokenEndpoint
		if len(member) == len(e.Workspace)+len(e.Endpoint) {
			copy(e.Workspace[:], member)
			copy(e.Endpoint[:], member[len(e.Workspace):])
			all = append(all, e)
		}
	}
	return all, nil
}

// AnyWoken reports whether woken endpoints wait for their task.
func AnyWoken(ctx context.Context, c redis.UniversalClient) (bool, error) {
	n, err := c.Exists(ctx, wokenKey()).Result()
	return n > 0, err
}
