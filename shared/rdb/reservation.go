package rdb

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// Reservation is an email and the durable lead that has it.
type Reservation struct {
	Workspace id.UUID
	UniqueKey string
	LeadID    id.UUID
}

// commitScript: KEYS email keys   ARGV[1] committed TTL, seconds   ARGV[2...] id of the lead that has each, base32
//
// It may come late: the lead may have given the email up meanwhile ("d"), and a newer one may have it ("c") or have given it up too.
// Ids sort by time, so what is known of the same or a newer lead stays.
var commitScript = redis.NewScript(`
for i = 1, #KEYS do
  local s, mine = redis.call('GET', KEYS[i]) or '', ARGV[i + 1]
  local state, holder = string.sub(s, 1, 1), string.sub(s, 2)
  if not (state == 'd' and holder >= mine or state == 'c' and holder > mine) then
    redis.call('SET', KEYS[i], 'c' .. mine, 'EX', ARGV[1])
  end
end
return 0
`)

// commitOps mark reservations committed, one script call for each workspace.
func commitOps(held []Reservation) []op {
	var ops []op
	for _, group := range byWorkspace(len(held), func(i int) id.UUID { return held[i].Workspace }) {
		keys := make([]string, 0, len(group))
		args := append(make([]any, 0, len(group)+1), int(CommittedTTL.Seconds()))
		for _, i := range group {
			keys = append(keys, emailKey(held[i].Workspace, held[i].UniqueKey))
			args = append(args, string(id.Prefix("").Append(nil, held[i].LeadID)))
		}
		ops = append(ops, op{commitScript, keys, args})
	}
	return ops
}

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
