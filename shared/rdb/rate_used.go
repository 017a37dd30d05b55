package rdb

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// usedScript reads how much of a workspace's rate limit is in use.
//
//	KEYS[1]  rate limit
//	returns  microseconds of the burst in use
var usedScript = redis.NewScript(gcraText + `return math.max(0, tonumber(redis.call('GET', KEYS[1]) or 0) - clock())`)

// RatesUsed returns how much of the burst of each workspace is in use now, as its limiter counts: a request takes the
// rate's interval, and it drains as time passes.
func RatesUsed(ctx context.Context, c redis.UniversalClient, workspaces []id.UUID) ([]time.Duration, error) {
	ops := make([]op, len(workspaces))
	for i, ws := range workspaces {
		ops[i] = op{usedScript, []string{rateKey(ws)}, nil}
	}
	cmds := runAll(ctx, c, ops)
	used := make([]time.Duration, len(cmds))
	for i, cmd := range cmds {
		n, err := cmd.Int64()
		if err != nil {
			return nil, err
		}
		used[i] = time.Duration(n) * time.Microsecond
	}
	return used, nil
}
