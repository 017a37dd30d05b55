package rdb

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// ReleasedTTL is how long a released reservation is remembered: longer than any process may take to announce, late, that the lead has the email.
const ReleasedTTL = 15 * time.Second

// releaseScript: KEYS email keys   ARGV[1] released TTL, ms   ARGV[2...] id of the lead that gave up each, base32
//
// What another lead has reserved since is left alone.
var releaseScript = redis.NewScript(`
for i = 1, #KEYS do
  local s = redis.call('GET', KEYS[i])
  if not s or string.sub(s, 2) == ARGV[i + 1] then
    redis.call('SET', KEYS[i], 'd' .. ARGV[i + 1], 'PX', ARGV[1])
  end
end
return 0
`)

// Release gives up reservations of leads that have the emails no longer: Postgres decides about these. It is right at any time, however late
// and often: a lead that has its email again only loses the hint.
func Release(ctx context.Context, c redis.UniversalClient, freed []Reservation) error {
	var ops []op
	for _, group := range byWorkspace(len(freed), func(i int) id.UUID { return freed[i].Workspace }) {
		keys := make([]string, 0, len(group))
		args := append(make([]any, 0, len(group)+1), ReleasedTTL.Milliseconds())
		for _, i := range group {
			keys = append(keys, emailKey(freed[i].Workspace, freed[i].UniqueKey))
			args = append(args, string(id.Prefix("").Append(nil, freed[i].LeadID)))
		}
		ops = append(ops, op{releaseScript, keys, args})
	}
	cmds, err := runAll(ctx, c, ops)
	for _, cmd := range cmds {
		if err == nil {
			err = cmd.Err()
		}
	}
	return err
}
