package rdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
	"leadgate/shared/limit"
)

// admitScript decides the rate limit of a workspace's requests and reserves the emails of those that pass, in one call
// for all.
//
//	KEYS[1]     rate limit of the workspace
//	KEYS[2...]  emails, of the first requests; those that reserve nothing come last and have none
//	ARGV[1]     microseconds per request
//	ARGV[2]     burst
//	ARGV[3]     how many requests
//	ARGV[4]     TTL of a pending reservation, milliseconds
//	ARGV[5...]  the lead of each email, base32
//	returns     {requests that pass, microseconds of the burst in use before them, then for each email that passed:
//	            "" reserved now, else what is stored: "p<lead>" pending | "c<lead>" committed}
//
// Requests that do not pass reserve nothing and spend nothing.
var admitScript = redis.NewScript(gcraText + `
local now, interval = clock(), tonumber(ARGV[1])
local pass, used = gcra(KEYS[1], now, interval, tonumber(ARGV[2]), tonumber(ARGV[3]))
if pass > 0 then spend(KEYS[1], now, used + pass * interval) end
local out = {pass, used}
for i = 2, math.min(#KEYS, pass + 1) do
  out[i + 1] = ''
  if not redis.call('SET', KEYS[i], 'p' .. ARGV[i + 3], 'NX', 'PX', ARGV[4]) then
    out[i + 1] = redis.call('GET', KEYS[i]) or ''
  end
end
return out
`)

// AdmissionRequest asks for one request of a workspace's rate limit, and for the reservation of an email. A zero LeadID
// reserves nothing.
type AdmissionRequest struct {
	Workspace id.UUID
	Rate      limit.Rate
	UniqueKey string // of the lead to be made, see tenant.Settings.UniqueKey
	LeadID    id.UUID
}

// Admission is the answer to an AdmissionRequest.
type Admission struct {
	limit.Decision
	// A durable lead had the email, and most likely has it. It is a hint: Redis may be older than Postgres, or know
	// what Postgres has lost.
	Committed bool
}

// AdmissionResult is an Admission, or why there is none.
type AdmissionResult struct {
	Admission
	Err error
}

// Admit takes requests from the rate limit and reserves emails, as SET NX does, in one script. It answers requests, in
// order: one script call for each workspace, all in one pipeline.
func Admit(ctx context.Context, c redis.UniversalClient, requests []AdmissionRequest) []AdmissionResult {
	out := make([]AdmissionResult, len(requests))
	groups := byWorkspace(len(requests), func(i int) id.UUID { return requests[i].Workspace })
	ops := make([]op, len(groups))
	for g := range groups {
		// Those that reserve go first, because the script pairs emails and requests by their place.
		slices.SortStableFunc(groups[g], func(a, b int) int {
			return requests[a].reservesNothing() - requests[b].reservesNothing()
		})
		ops[g] = admitOp(requests, groups[g])
	}
	cmds := runAll(ctx, c, ops)
	for g, group := range groups {
		reply, failed := cmds[g].Slice()
		for place, i := range group {
			if out[i].Err = failed; failed == nil {
				out[i].Admission, out[i].Err = readAdmission(reply, place, requests[i].Rate)
			}
		}
	}
	return out
}

// reservesNothing is 1 for a request that asks only for the rate limit, else 0.
func (r *AdmissionRequest) reservesNothing() int {
	if r.LeadID == (id.UUID{}) {
		return 1
	}
	return 0
}

func admitOp(requests []AdmissionRequest, group []int) op {
	first := &requests[group[0]]
	keys := append(make([]string, 0, len(group)+1), rateKey(first.Workspace))
	args := append(make([]any, 0, len(group)+4),
		first.Rate.Interval.Microseconds(), first.Rate.Burst, len(group), PendingTTL.Milliseconds())
	for _, i := range group {
		if r := &requests[i]; r.LeadID != (id.UUID{}) {
			keys = append(keys, emailKey(r.Workspace, r.UniqueKey))
			args = append(args, leadArg(r.LeadID))
		}
	}
	return op{admitScript, keys, args}
}

// readAdmission reads what the script answered to the request at place of its workspace. No time passes inside a
// script, so every request after the first limited one is limited too.
func readAdmission(reply []any, place int, rate limit.Rate) (a Admission, err error) {
	if len(reply) < 2 {
		return a, fmt.Errorf("admission script: %d values, want 2 or more", len(reply))
	}
	pass, _ := reply[0].(int64)
	before, _ := reply[1].(int64)
	tolerance := rate.Interval * time.Duration(rate.Burst)
	used := time.Duration(before)*time.Microsecond + rate.Interval*time.Duration(min(int64(place)+1, pass))
	if int64(place) >= pass {
		a.Decision = limit.Decision{Limited: true, RetryAfter: used + rate.Interval - tolerance, Reset: used}
		return a, nil
	}
	a.Decision = limit.Decision{Remaining: int((tolerance - used) / rate.Interval), Reset: used}
	if place+2 >= len(reply) {
		return a, nil
	}
	stored, _ := reply[place+2].(string)
	a.Committed = strings.HasPrefix(stored, "c")
	return a, nil
}
