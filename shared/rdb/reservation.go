package rdb

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// How long a reservation lives. Whatever it says, Postgres decides about the email.
const (
	PendingTTL   = 10 * time.Second // covers one request
	CommittedTTL = 24 * time.Hour
)

// Reservation is an email and the durable lead that has it.
type Reservation struct {
	Workspace id.UUID
	UniqueKey string
	LeadID    id.UUID
}

// commitScript marks emails as held by durable leads, whatever was reserved before.
//
//	KEYS        emails
//	ARGV[1]     TTL of a committed reservation, seconds
//	ARGV[2...]  the lead that has each, base32
//	returns     0
var commitScript = redis.NewScript(`
for i = 1, #KEYS do redis.call('SET', KEYS[i], 'c' .. ARGV[i + 1], 'EX', ARGV[1]) end
return 0
`)

// Release deletes the reservation of an email that its lead gave up. It saves the next lead a look at Postgres, and may
// fail or come late.
func Release(ctx context.Context, c redis.UniversalClient, workspace id.UUID, uniqueKey string) error {
	return c.Del(ctx, emailKey(workspace, uniqueKey)).Err()
}

// commitOps mark reservations committed, with one call for each workspace.
func commitOps(held []Reservation) []op {
	var ops []op
	for _, group := range byWorkspace(len(held), func(i int) id.UUID { return held[i].Workspace }) {
		keys := make([]string, 0, len(group))
		args := append(make([]any, 0, len(group)+1), int64(CommittedTTL.Seconds()))
		for _, i := range group {
			keys = append(keys, emailKey(held[i].Workspace, held[i].UniqueKey))
			args = append(args, leadArg(held[i].LeadID))
		}
		ops = append(ops, op{commitScript, keys, args})
	}
	return ops
}

// leadArg is a lead's id as it is stored in a reservation: base32, without a prefix.
func leadArg(lead id.UUID) string { return id.Prefix("").Format(lead) }
