package intake

import (
	"context"
	"sync"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/rdb"
)

// Bounds of telling later. Postgres has every release until Redis knows it: what is too much here is the sweep's.
const (
	maxUntold   = 10_000
	untoldBatch = 1000 // in one round trip
	untoldPause = 500 * time.Millisecond
)

// untold are releases that Redis could not be told of. They are told as soon as it can be: until then it would name leads that have the emails
// no longer.
//
//	Tell --Redis is away--> add --> tellLater: every half second, until there are none
type untold struct {
	mu   sync.Mutex
	all  []pg.Release
	some chan struct{} // one, when there are any
	stop context.CancelFunc
	done chan struct{}
}

func (s *Service) startUntold() {
	ctx, cancel := context.WithCancel(context.Background())
	s.untold.some, s.untold.done, s.untold.stop = make(chan struct{}, 1), make(chan struct{}), cancel
	go s.tellLater(ctx)
}

// halt ends telling. It can be called again.
func (u *untold) halt() {
	u.stop()
	<-u.done
}

func (u *untold) add(r pg.Release) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.all) >= maxUntold {
		return
	}
	u.all = append(u.all, r)
	select {
	case u.some <- struct{}{}:
	default:
	}
}

// first returns the oldest of them, which stay until told.
func (u *untold) first() []pg.Release {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.all[:min(len(u.all), untoldBatch):min(len(u.all), untoldBatch)]
}

// told forgets the n oldest.
func (u *untold) told(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.all = u.all[n:]; len(u.all) == 0 {
		u.all = nil
	}
}

func (s *Service) tellLater(ctx context.Context) {
	defer close(s.untold.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.untold.some:
		}
		for some := s.untold.first(); len(some) > 0; some = s.untold.first() {
			if s.release(ctx, some) == nil {
				s.untold.told(len(some))
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(untoldPause):
			}
		}
	}
}

// release tells Redis that emails are free, and Postgres that Redis knows. It asks no breaker: what it does is what makes Redis fit to be asked.
func (s *Service) release(ctx context.Context, freed []pg.Release) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	held := make([]rdb.Reservation, len(freed))
	for i, r := range freed {
		held[i] = rdb.Reservation{Workspace: r.Workspace, UniqueKey: r.UniqueKey, LeadID: r.LeadID}
	}
	err := rdb.Release(ctx, s.Redis, held)
	if s.recordRedis(err); err != nil {
		return err
	}
	if err := s.DB.ForgetReleases(ctx, freed); err != nil {
		s.Log.Warn("releases are left to the sweep", "releases", len(freed), "error", err.Error())
	}
	return nil
}
