package form

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"leadgate/gateway/internal/form/proof"
	"leadgate/shared/id"
)

// Bounds of reading the installation's secret.
const (
	secretTimeout = time.Second      // of a try, for which a submission waits
	secretRetry   = 10 * time.Second // after a failed one
)

// derived is what was derived from the installation's secret, once it could be read.
type derived struct {
	keys  atomic.Pointer[proof.Keys]
	mu    sync.Mutex // held by who reads it
	again time.Time  // not before
}

// keys returns the keys of the installation; nil while its secret cannot be read: protection fails open.
func (s *Service) keys(ctx context.Context) *proof.Keys {
	d := &s.derived
	if k := d.keys.Load(); k != nil || s.Secret == nil {
		return k
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.keys.Load(); k != nil || s.Now().Before(d.again) {
		return k
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), secretTimeout)
	defer cancel()
	secret, err := s.Secret(ctx)
	if err != nil {
		d.again = s.Now().Add(secretRetry)
		if s.warn("secret") {
			s.Log.Error("installation secret unreadable", "fallback", "forms go on without proof of browser",
				"error", err.Error())
		}
		return nil
	}
	d.keys.Store(proof.NewKeys(secret))
	return d.keys.Load()
}

// addressHash is what a submission keeps of its client's address: of IPv6 the /64, keyed for each workspace. nil: the
// address is a proxy's, or the installation's secret cannot be read.
func (s *Service) addressHash(ctx context.Context, workspace id.UUID, c Client) []byte {
	if c.Hidden {
		return nil
	}
	return s.keys(ctx).AddressHash(workspace, network(c.Addr))
}
