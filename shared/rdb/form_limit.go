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

// takeAllScript takes one event from each of several rate limits, or from none when one of them has nothing left.
//
//	KEYS              rate limits
//	ARGV[2i-1], [2i]  of KEYS[i]: microseconds per event, burst
//	returns           0 when the event may happen, else microseconds until it may
var takeAllScript = redis.NewScript(gcraText + `
local now, after, wait = clock(), {}, 0
for i = 1, #KEYS do
  local interval, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local pass, used = gcra(KEYS[i], now, interval, burst, 1)
  after[i] = used + interval
  if pass == 0 then wait = math.max(wait, after[i] - interval * burst) end
end
if wait > 0 then return math.ceil(wait) end
for i = 1, #KEYS do spend(KEYS[i], now, after[i]) end
return 0
`)

// FormSubmission is one submission of a form from an address.
type FormSubmission struct {
	Workspace  id.UUID
	Form       id.UUID // its key
	Address    netip.Addr
	PerForm    limit.Rate
	PerAddress limit.Rate
}

// LimitForm takes one submission from the limits of its form and of its address. wait is how long until it may happen,
// zero when it may.
func LimitForm(ctx context.Context, c redis.UniversalClient, s FormSubmission) (wait time.Duration, err error) {
	cmds := runAll(ctx, c, []op{{takeAllScript,
		[]string{formKey(s.Workspace, s.Form), addressKey(s.Workspace, s.Form, s.Address)},
		[]any{s.PerForm.Interval.Microseconds(), s.PerForm.Burst, s.PerAddress.Interval.Microseconds(), s.PerAddress.Burst}}})
	us, err := cmds[0].Int64()
	if err != nil {
		return 0, fmt.Errorf("limit form: %w", err)
	}
	return time.Duration(us) * time.Microsecond, nil
}

func formKey(workspace, form id.UUID) string {
	return workspaceKey(workspace, "form:"+id.Key.Format(form))
}

// addressKey holds a hash, so that no address is in Redis; of an IPv6 address only its /64, which one customer has.
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
