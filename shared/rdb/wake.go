package rdb

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
)

// How long the states of a wake-up live. They expire so that a killed process, or a task that Redis lost, holds nothing
// up for longer.
const (
	WaitingTTL = 10 * time.Minute // long, or tasks would pile up while no worker runs; see Repair
	RunningTTL = 12 * time.Second
)

// WakeKey is what can be woken, such as the drain of an endpoint or the enrichment of a workspace.
type WakeKey struct {
	Workspace id.UUID
	What      string        // unique in the workspace
	Running   time.Duration // how long the state of a run lives; 0: RunningTTL
}

func (k WakeKey) key() string { return wakeKey(k.Workspace, k.What) }

func (k WakeKey) running() int64 { return cmp.Or(k.Running, RunningTTL).Milliseconds() }

// The states of a wake-up, which is one Redis key:
//
//	idle --wake--> waiting "w" --begin--> running "r<token>" --finish--> idle
//	                                          |  ^                 (from R: run again)
//	                                         wake finish
//	                                          v  |
//	                                  woken again "R<token>"
//
// Only idle -> waiting asks for a task. So at most one task waits for each key, and no wake-up is lost while one runs.

// wakeScript wakes a key.
//
//	KEYS[1]  wake-up
//	ARGV[1]  TTL of waiting, milliseconds
//	ARGV[2]  TTL, milliseconds, at or below which the task of a waiting key counts as lost
//	returns  1 when the caller must enqueue a task, else 0
var wakeScript = redis.NewScript(wakeLua)

const wakeLua = `
local s = redis.call('GET', KEYS[1])
if not s or (s == 'w' and redis.call('PTTL', KEYS[1]) <= tonumber(ARGV[2])) then
  redis.call('SET', KEYS[1], 'w', 'PX', ARGV[1])
  return 1
end
if string.sub(s, 1, 1) == 'r' then
  redis.call('SET', KEYS[1], 'R' .. string.sub(s, 2), 'KEEPTTL')
end
return 0
`

// tellScript tells the run of a key, if there is one, to look once more.
//
//	KEYS[1]  wake-up
//	returns  1 when one runs or waits for its task, else 0
var tellScript = redis.NewScript(`
local s = redis.call('GET', KEYS[1])
if not s then return 0 end
if string.sub(s, 1, 1) == 'r' then
  redis.call('SET', KEYS[1], 'R' .. string.sub(s, 2), 'KEEPTTL')
end
return 1
`)

// beginScript makes a token the one that runs.
//
//	KEYS[1]  wake-up
//	ARGV[1]  token
//	ARGV[2]  TTL of running, milliseconds
//	returns  1 when the token runs; 0 when another one does, which is woken again
var beginScript = redis.NewScript(`
local s = redis.call('GET', KEYS[1])
if s and s ~= 'w' and string.sub(s, 2) ~= ARGV[1] then
  redis.call('SET', KEYS[1], 'R' .. string.sub(s, 2), 'KEEPTTL')
  return 0
end
redis.call('SET', KEYS[1], 'r' .. ARGV[1], 'PX', ARGV[2])
return 1
`)

// finishScript ends a token's run. It changes nothing when another token runs.
//
//	KEYS[1]  wake-up
//	ARGV[1]  token
//	ARGV[2]  TTL of the next state, milliseconds
//	ARGV[3]  the next state: "idle" or "waiting"
//	returns  1 when the token was woken again and must go on; 2 when it waits and the caller must enqueue a task; else 0
var finishScript = redis.NewScript(`
local s = redis.call('GET', KEYS[1])
if s and string.sub(s, 2) ~= ARGV[1] then return 0 end
if ARGV[3] == 'waiting' then
  redis.call('SET', KEYS[1], 'w', 'PX', ARGV[2])
  return 2
end
if s == 'R' .. ARGV[1] then
  redis.call('SET', KEYS[1], 'r' .. ARGV[1], 'PX', ARGV[2])
  return 1
end
redis.call('DEL', KEYS[1])
return 0
`)

// renewScript extends a token's run.
//
//	KEYS[1]  wake-up
//	ARGV[1]  token
//	ARGV[2]  TTL of running, milliseconds
//	returns  0
var renewScript = redis.NewScript(`
local s = redis.call('GET', KEYS[1])
if s and string.sub(s, 2) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
`)

// Announce marks reservations committed, and wakes keys and the task of woken endpoints, in one pipeline. It returns
// the keys that were idle: the caller enqueues a task for each. When it fails the hints expire and the sweep wakes the
// keys; nothing depends on it.
func Announce(
	ctx context.Context, c redis.UniversalClient, held []Reservation, keys []WakeKey, endpoints []WokenEndpoint,
) (idle []WakeKey, err error) {
	before := commitOps(held)
	ops := append(before, wakeOps(keys, never)...)
	for part := range slices.Chunk(endpoints, wokenInOneCall) {
		ops = append(ops, wokenOp(part))
		keys = append(keys, WokenTask())
	}
	return wake(ctx, c, ops, keys)
}

// Repair wakes keys that have work. Of a key that has waited for its task for lostAfter that task counts as lost: it
// gets another.
func Repair(
	ctx context.Context, c redis.UniversalClient, keys []WakeKey, lostAfter time.Duration,
) (idle []WakeKey, err error) {
	return wake(ctx, c, wakeOps(keys, (WaitingTTL-lostAfter).Milliseconds()), keys)
}

const never = -2 // no TTL is so low

func wakeOps(keys []WakeKey, lostTTL int64) []op {
	ops := make([]op, len(keys))
	for i, k := range keys {
		ops[i] = op{wakeScript, []string{k.key()}, []any{WaitingTTL.Milliseconds(), lostTTL}}
	}
	return ops
}

// wake runs ops, the last of which wake keys.
func wake(ctx context.Context, c redis.UniversalClient, ops []op, keys []WakeKey) (idle []WakeKey, err error) {
	first := len(ops) - len(keys)
	for i, cmd := range runAll(ctx, c, ops) {
		n, failed := cmd.Int()
		if failed != nil && err == nil { // one stands for all, which may be thousands
			err = failed
		}
		if i >= first && n == 1 {
			idle = append(idle, keys[i-first])
		}
	}
	return idle, err
}

// Tell has the run of a key look once more before it ends, and reports whether the key runs or waits for its task.
func Tell(ctx context.Context, c redis.UniversalClient, k WakeKey) (heard bool, err error) {
	n, err := tellScript.Run(ctx, c, []string{k.key()}).Int()
	return n == 1, err
}

// Unwake returns a key to idle when its task could not be enqueued.
func Unwake(ctx context.Context, c redis.UniversalClient, k WakeKey) error {
	return c.Del(ctx, k.key()).Err()
}

// Begin makes token the one that works on k. It reports false when another one does, which looks once more before it
// ends.
func Begin(ctx context.Context, c redis.UniversalClient, k WakeKey, token string) (bool, error) {
	n, err := beginScript.Run(ctx, c, []string{k.key()}, token, k.running()).Int()
	return n == 1, err
}

// Renew extends token's run; call it well within the life of its state.
func Renew(ctx context.Context, c redis.UniversalClient, k WakeKey, token string) error {
	return renewScript.Run(ctx, c, []string{k.key()}, token, k.running()).Err()
}

// Finish ends token's work. again: the key was woken meanwhile, and token must look once more.
func Finish(ctx context.Context, c redis.UniversalClient, k WakeKey, token string) (again bool, err error) {
	n, err := finishScript.Run(ctx, c, []string{k.key()}, token, k.running(), "idle").Int()
	return n == 1, err
}

// Yield ends token's work with more left to do. enqueue: the caller must enqueue a task, which goes to the back of the
// queue.
func Yield(ctx context.Context, c redis.UniversalClient, k WakeKey, token string) (enqueue bool, err error) {
	n, err := finishScript.Run(ctx, c, []string{k.key()}, token, WaitingTTL.Milliseconds(), "waiting").Int()
	return n == 2, err
}
