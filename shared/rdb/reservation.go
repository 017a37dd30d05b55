package rdb

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// How long a reservation lives. Postgres decides about an email while its reservation is pending or released, and after
// it expires.
const (
	PendingTTL   = 10 * time.Second // covers one request
	CommittedTTL = 24 * time.Hour
	ReleasedTTL  = 15 * time.Second // longer than any process may take to announce, late, that the lead has the email
)

// Reservation is an email and the durable lead that has it.
type Reservation struct {
	Workspace id.UUID
	UniqueKey string
	LeadID    id.UUID
}

// commitScript marks emails as held by durable leads.
//
//	KEYS        emails
//	ARGV[1]     TTL of a committed reservation, seconds
//	ARGV[2...]  the lead that has each, base32
//	returns     0
//
// It may come late: the lead may have given up the email meanwhile ("d"), and a newer lead may have it ("c") or have
// given it up too. Ids sort by time, so what is known of the same or a newer lead stays.
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

// releaseScript marks emails as given up, so that Postgres decides about them.
//
//	KEYS        emails
//	ARGV[1]     TTL of a released reservation, milliseconds
//	ARGV[2...]  the lead that gave up each, base32
//	returns     0
//
// A reservation of another lead stays.
var releaseScript = redis.NewScript(`
for i = 1, #KEYS do
  local s = redis.call('GET', KEYS[i])
  if not s or string.sub(s, 2) == ARGV[i + 1] then
    redis.call('SET', KEYS[i], 'd' .. ARGV[i + 1], 'PX', ARGV[1])
  end
end
return 0
`)

// Release gives up the reservations of leads that no longer have their emails. It may be called late and more than
// once: a lead that has its email again only loses the hint.
func Release(ctx context.Context, c redis.UniversalClient, released []Reservation) error {
	cmds, err := runAll(ctx, c, reservationOps(releaseScript, ReleasedTTL.Milliseconds(), released))
	for _, cmd := range cmds {
		if err == nil {
			err = cmd.Err()
		}
	}
	return err
}

// commitOps mark reservations committed.
func commitOps(held []Reservation) []op {
	return reservationOps(commitScript, int64(CommittedTTL.Seconds()), held)
}

// reservationOps are the calls of a script about emails and their leads, one for each workspace.
func reservationOps(script *redis.Script, ttl int64, all []Reservation) []op {
	var ops []op
	for _, group := range byWorkspace(len(all), func(i int) id.UUID { return all[i].Workspace }) {
		keys := make([]string, 0, len(group))
		args := append(make([]any, 0, len(group)+1), ttl)
		for _, i := range group {
			keys = append(keys, emailKey(all[i].Workspace, all[i].UniqueKey))
			args = append(args, leadArg(all[i].LeadID))
		}
		ops = append(ops, op{script, keys, args})
	}
	return ops
}

// leadArg is a lead's id as it is stored in a reservation: base32, without a prefix.
func leadArg(lead id.UUID) string { return id.Prefix("").Format(lead) }
