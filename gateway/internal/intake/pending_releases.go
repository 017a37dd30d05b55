package intake

import (
	"context"
	"sync"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/rdb"
)

// Bounds of pendingReleases. Postgres has every release until Redis knows it: the worker's sweep does those beyond
// them.
const (
	maxPendingReleases = 10_000
	releaseBatch       = 1000 // in one pipeline
	releasePause       = 500 * time.Millisecond
)

// pendingReleases are releases that Redis was unavailable for. They are retried at short intervals, because until then
// Redis names leads that have the emails no longer.
//
//	Publish --Redis is unavailable--> add --> retryReleases: every half second, until none is pending
type pendingReleases struct {
	mu   sync.Mutex
	all  []pg.Release
	wake chan struct{} // holds one value when there are any
	stop context.CancelFunc
	done chan struct{}
}

func (s *Service) startReleases() {
	ctx, cancel := context.WithCancel(context.Background())
	s.releases.wake, s.releases.done, s.releases.stop = make(chan struct{}, 1), make(chan struct{}), cancel
	go s.retryReleases(ctx)
}

// shutdown ends the retries and waits for the last. It can be called again.
func (p *pendingReleases) shutdown() {
	p.stop()
	<-p.done
}

func (p *pendingReleases) add(r pg.Release) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) >= maxPendingReleases {
		return
	}
	p.all = append(p.all, r)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// oldest returns the oldest releases, releaseBatch at most. They stay until remove.
func (p *pendingReleases) oldest() []pg.Release {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.all), releaseBatch)
	return p.all[:n:n]
}

// remove deletes the n oldest releases.
func (p *pendingReleases) remove(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all = p.all[n:]; len(p.all) == 0 {
		p.all = nil
	}
}

func (s *Service) retryReleases(ctx context.Context) {
	defer close(s.releases.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.releases.wake:
		}
		for oldest := s.releases.oldest(); len(oldest) > 0; oldest = s.releases.oldest() {
			if s.release(ctx, oldest) == nil {
				s.releases.remove(len(oldest))
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(releasePause):
			}
		}
	}
}

// release deletes reservations from Redis, and then the releases from Postgres. It does not ask the circuit breaker:
// while Redis names leads that have their emails no longer, it must not be asked about duplicates.
func (s *Service) release(ctx context.Context, releases []pg.Release) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	reservations := make([]rdb.Reservation, len(releases))
	for i, r := range releases {
		reservations[i] = rdb.Reservation{Workspace: r.Workspace, UniqueKey: r.UniqueKey, LeadID: r.LeadID}
	}
	err := rdb.Release(ctx, s.Redis, reservations)
	if s.recordRedis(err); err != nil {
		return err
	}
	if err := s.DB.DeleteReleases(ctx, releases); err != nil {
		s.Log.Warn("delete releases failed", "releases", len(releases), "error", err.Error(), "next", "the worker's sweep")
	}
	return nil
}
