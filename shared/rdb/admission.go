package rdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
	"leadgate/shared/limit"
)

// How long a reservation lives. Pending covers one request; Postgres decides while it lasts and after it lapses.
const (
	PendingTTL   = 10 * time.Second
	CommittedTTL = 24 * time.Hour
)

// admitScript decides the rate limit of a workspace's waiting requests, and reserves the emails of those that pass: one call for all of them.
//
//	KEYS[1] rate key   KEYS[2...] email keys of the requests, in order; those that reserve nothing come last and have none
//	ARGV[1] microseconds per request   ARGV[2] burst   ARGV[3] requests   ARGV[4] pending TTL, ms   ARGV[5...] lead ids of the email keys, base32
//	returns {requests that pass, microseconds of the burst in use before them, holder of each email that passed: "" reserved | "p<id>" | "c<id>" | "d<id>"}
//
// Requests that do not pass reserve nothing and move nothing. The clock is Redis' own, so gateways' clocks do not matter.
var admitScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local interval, burst, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tat = tonumber(redis.call('GET', KEYS[1]) or now)
if tat < now then tat = now end
local used = tat - now
local pass = math.max(0, math.min(n, math.floor((interval * burst - used) / interval)))
if pass > 0 then
  local full = used + pass * interval
  redis.call('SET', KEYS[1], string.format('%.0f', now + full), 'PX', math.ceil(full / 1000) + 1000)
end
local out = {pass, used}
for i = 2, math.min(#KEYS, pass + 1) do
  out[i + 1] = ''
  if not redis.call('SET', KEYS[i], 'p' .. ARGV[i + 3], 'NX', 'PX', ARGV[4]) then
    out[i + 1] = redis.call('GET', KEYS[i]) or ''
  end
end
return out
`)

// AdmissionRequest is one request at the gate. A zero LeadID asks only for the rate limit.
type AdmissionRequest struct {
	Workspace id.UUID
	Rate      limit.Rate
	UniqueKey string
	LeadID    id.UUID
}

// Admission is the gate's answer. Holder is the lead that has the email, or has given it up a moment ago, and Committed that it is durable and has it;
// a zero Holder means the call reserved it.
type Admission struct {
	limit.Decision
	Holder    id.UUID
	Committed bool
}

// AdmissionResult is an Admission, or why there is none.
type AdmissionResult struct {
	Admission
	Err error
}

// Admit answers calls, in order: one script call for each workspace, all in one pipeline.
func Admit(ctx context.Context, c redis.UniversalClient, calls []AdmissionRequest) []AdmissionResult {
	out := make([]AdmissionResult, len(calls))
	groups := byWorkspace(len(calls), func(i int) id.UUID { return calls[i].Workspace })
	ops := make([]op, len(groups))
	for g := range groups {
		// Those that reserve go first, because the script takes them by their place.
		slices.SortStableFunc(groups[g], func(a, b int) int { return calls[a].reservesNothing() - calls[b].reservesNothing() })
		ops[g] = admitOp(calls, groups[g])
	}
	cmds, err := runAll(ctx, c, ops)
	for g, group := range groups {
		var reply []any
		failed := err
		if failed == nil {
			reply, failed = cmds[g].Slice()
		}
		for place, i := range group {
			if out[i].Err = failed; failed == nil {
				out[i].Admission, out[i].Err = readAdmission(reply, place, &calls[i])
			}
		}
	}
	return out
}

func (c *AdmissionRequest) reservesNothing() int {
	if c.LeadID == (id.UUID{}) {
		return 1
	}
	return 0
}

func admitOp(calls []AdmissionRequest, group []int) op {
	first := &calls[group[0]]
	keys := append(make([]string, 0, len(group)+1), rateKey(first.Workspace))
	args := append(make([]any, 0, len(group)+4), first.Rate.Interval.Microseconds(), first.Rate.Burst, len(group), PendingTTL.Milliseconds())
	for _, i := range group {
		if call := &calls[i]; call.LeadID != (id.UUID{}) {
			keys = append(keys, emailKey(call.Workspace, call.UniqueKey))
			args = append(args, string(id.Prefix("").Append(nil, call.LeadID)))
		}
	}
	return op{admitScript, keys, args}
}

// readAdmission reads what the script answered to the request at place. No time passes inside a script, so every request after the first limited one is limited too.
func readAdmission(reply []any, place int, call *AdmissionRequest) (p Admission, err error) {
	if len(reply) < 2 {
		return p, fmt.Errorf("gate script: %d values, want 2 or more", len(reply))
	}
	pass, _ := reply[0].(int64)
	before, _ := reply[1].(int64)
	interval := call.Rate.Interval
	tolerance := interval * time.Duration(call.Rate.Burst)
	used := time.Duration(before)*time.Microsecond + interval*time.Duration(min(int64(place)+1, pass))
	if int64(place) >= pass {
		p.Decision = limit.Decision{Limited: true, RetryAfter: used + interval - tolerance, Reset: used}
		return p, nil
	}
	p.Decision = limit.Decision{Remaining: int((tolerance - used) / interval), Reset: used}
	if place+2 >= len(reply) {
		return p, nil
	}
	if holder, _ := reply[place+2].(string); holder != "" {
		p.Committed = holder[0] == 'c'
		p.Holder, err = id.Prefix("").Parse(holder[1:])
	}
	return p, err
}
