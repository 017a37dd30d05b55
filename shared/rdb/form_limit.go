package rdb

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/id"
	"leadgate/shared/limit"
)

// limitScript takes one from every quota, or from none where one of them has nothing left.
//
//	KEYS GCRA's theoretical arrival times   ARGV of each, two: microseconds for one, how many at once
//	returns microseconds until it is allowed; 0: it is
var limitScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local next, wait = {}, 0
for i = 1, #KEYS do
  local interval, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local tat = tonumber(redis.call('GET', KEYS[i]) or now)
  if tat < now then tat = now end
  next[i] = tat + interval
  wait = math.max(wait, next[i] - now - interval * burst)
end
if wait > 0 then return math.ceil(wait) end
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], string.format('%.0f', next[i]), 'PX', math.ceil((next[i] - now) / 1000) + 1000)
end
return 0
`)

// FormSubmission is one submission of a form from an address.
type FormSubmission struct {
	Workspace id.UUID
	Form      id.UUID // its key
	Address   netip.Addr
	Whole     limit.Rate // of the form
	Each      limit.Rate // of an address
}

// LimitForm takes one submission from both quotas: wait is how long until it is allowed, zero when it is.
func LimitForm(ctx context.Context, c redis.UniversalClient, call FormSubmission) (wait time.Duration, err error) {
	cmds, err := runAll(ctx, c, []op{{limitScript,
		[]string{formKey(call.Workspace, call.Form), addressKey(call.Workspace, call.Form, call.Address)},
		[]any{call.Whole.Interval.Microseconds(), call.Whole.Burst, call.Each.Interval.Microseconds(), call.Each.Burst}}})
	if err != nil {
		return 0, fmt.Errorf("limit form: %w", err)
	}
	us, err := cmds[0].Int64()
	if err != nil {
		return 0, fmt.Errorf("limit form: %w", err)
	}
	return time.Duration(us) * time.Microsecond, nil
}

func formKey(workspace, form id.UUID) string {
	return workspaceKey(workspace, "form:"+id.Key.Format(form))
}

// addressKey holds a hash, and of an IPv6 address only its /64, which is one customer's: no address is in Redis.
func addressKey(workspace, form id.UUID, address netip.Addr) string {
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if p, err := address.Prefix(64); err == nil {
			address = p.Addr()
		}
	}
	sum := sha256.Sum256(append(form[:], address.AsSlice()...))
	return formKey(workspace, form) + ":" + base64.RawURLEncoding.EncodeToString(sum[:12])
}
