package rdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

// How long a reservation lives. Pending covers one request; Postgres decides while it lasts and after it lapses.
const (
	PendingTTL   = 10 * time.Second
	CommittedTTL = 24 * time.Hour
)

// gateScript decides one request's rate limit and, if it names an email, reserves it: one round trip.
//
//	KEYS[1] rate key   KEYS[2] email key, absent for a request that reserves nothing
//	ARGV[1] microseconds per request   ARGV[2] burst   ARGV[3] lead id, base32   ARGV[4] pending TTL, ms
//	returns {limited 0|1, remaining, retry after us, reset us, holder: "" reserved | "p<id>" | "c<id>"}
//
// A limited request reserves nothing and moves nothing. The clock is Redis' own, so gateways' clocks do not matter.
var gateScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local tolerance = interval * burst
local tat = tonumber(redis.call('GET', KEYS[1]) or now)
if tat < now then tat = now end
local used = tat + interval - now
if used > tolerance then
  return {1, 0, used - tolerance, tat - now, ''}
end
redis.call('SET', KEYS[1], string.format('%.0f', tat + interval), 'PX', math.ceil(used / 1000) + 1000)
local holder = ''
if KEYS[2] then
  if not redis.call('SET', KEYS[2], 'p' .. ARGV[3], 'NX', 'PX', ARGV[4]) then
    holder = redis.call('GET', KEYS[2])
  end
end
return {0, math.floor((tolerance - used) / interval), 0, used, holder}
`)

// GateCall is one request at the gate. A zero LeadID asks only for the rate limit.
type GateCall struct {
	Workspace id.UUID
	Rate      tenant.Rate
	EmailKey  string
	LeadID    id.UUID
}

// Pass is the gate's answer. Holder is the lead that has the email and Committed that it is durable; a zero Holder means the call reserved it.
type Pass struct {
	tenant.Verdict
	Holder    id.UUID
	Committed bool
}

// GateResult is a Pass, or why there is none.
type GateResult struct {
	Pass
	Err error
}

// Gate answers calls in one pipeline, in order.
func Gate(ctx context.Context, c redis.UniversalClient, calls []GateCall) []GateResult {
	out := make([]GateResult, len(calls))
	replies, err := runAll(ctx, c, gateScript, len(calls), func(i int) ([]string, []any) {
		call := &calls[i]
		keys, args := []string{rateKey(call.Workspace)}, []any{1_000_000 / max(1, call.Rate.PerSecond), call.Rate.Burst}
		if call.LeadID != (id.UUID{}) {
			keys = append(keys, emailKey(call.Workspace, call.EmailKey))
			args = append(args, string(id.Prefix("").Append(nil, call.LeadID)), PendingTTL.Milliseconds())
		}
		return keys, args
	})
	for i := range out {
		if err != nil {
			out[i].Err = err
			continue
		}
		out[i].Pass, out[i].Err = readPass(replies[i])
	}
	return out
}

func readPass(cmd *redis.Cmd) (p Pass, err error) {
	v, err := cmd.Slice()
	if err != nil {
		return p, err
	}
	if len(v) != 5 {
		return p, fmt.Errorf("gate script: %d values, want 5", len(v))
	}
	var n [4]int64
	for i := range n {
		n[i], _ = v[i].(int64)
	}
	p.Verdict = tenant.Verdict{Limited: n[0] == 1, Remaining: int(n[1]), RetryAfter: time.Duration(n[2]) * time.Microsecond, Reset: time.Duration(n[3]) * time.Microsecond}
	if holder, _ := v[4].(string); holder != "" {
		p.Committed = holder[0] == 'c'
		p.Holder, err = id.Prefix("").Parse(holder[1:])
	}
	return p, err
}

// Reservation is an email and the durable lead that has it.
type Reservation struct {
	Workspace id.UUID
	EmailKey  string
	LeadID    id.UUID
}

// Commit marks reservations committed, in one pipeline. A pipeline that fails leaves hints that lapse; nothing depends on it.
func Commit(ctx context.Context, c redis.UniversalClient, all []Reservation) error {
	if len(all) == 0 {
		return nil
	}
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range all {
			r := &all[i]
			p.Set(ctx, emailKey(r.Workspace, r.EmailKey), "c"+string(id.Prefix("").Append(nil, r.LeadID)), CommittedTTL)
		}
		return nil
	})
	return err
}

// runAll runs script n times in one pipeline. A pipeline cannot fall back from EVALSHA to EVAL by itself, so an unknown script is loaded and the calls Redis did not know are run again.
func runAll(ctx context.Context, c redis.UniversalClient, script *redis.Script, n int, call func(i int) ([]string, []any)) ([]*redis.Cmd, error) {
	cmds := make([]*redis.Cmd, n)
	run := func(again bool) error {
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range cmds {
				if again && !unknownScript(cmds[i].Err()) {
					continue
				}
				keys, args := call(i)
				if again {
					cmds[i] = script.Eval(ctx, p, keys, args...) // loads it too
				} else {
					cmds[i] = script.EvalSha(ctx, p, keys, args...)
				}
			}
			return nil
		})
		return err
	}
	err := run(false)
	if unknownScript(err) {
		err = run(true)
	}
	var reply redis.Error
	if errors.As(err, &reply) {
		err = nil // of one command, which carries it itself
	}
	return cmds, err
}

func unknownScript(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") }
