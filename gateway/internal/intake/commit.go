package intake

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/batch"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
	"leadgate/shared/trace"
)

// commitAll makes a batch durable and, before anyone is answered, marks the reservations and wakes the workers.
// Its context is its own: a lead that was admitted is written although its client has left.
func (s *Service) commitAll(all []queuedLead) []commitResult {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	s.metrics.batch.Observe(float64(len(all)))
	stale := 0
	for stale < len(all) && s.Now().Sub(all[stale].at) > maxWait {
		stale++
	}
	out := failAll(stale, fault.StoreUnavailable(errStale, fullRetry))
	if stale == len(all) {
		return out
	}
	leads := make([]pg.NewLead, 0, len(all)-stale)
	for i := range all[stale:] {
		leads = append(leads, all[stale+i].NewLead)
	}
	done, err := s.insert(ctx, leads)
	if errors.Is(err, pg.ErrLockTimeout) {
		s.metrics.splits.Inc()
		done, err = s.insertByWorkspace(ctx, leads), nil
	}
	if err != nil {
		s.Log.Error("commit leads failed", "leads", len(leads), "error", err.Error())
		done = failAll(len(leads), err)
	}
	return append(out, done...)
}

// maxWait is how long a lead may wait for its commit before it fails untried: otherwise, while Postgres hangs, a full
// queue keeps clients for many times a commit's own limit.
const maxWait = 4 * time.Second

var errStale = errors.New("the lead waited too long for its commit")

// failAll returns err n times.
func failAll(n int, err error) []commitResult {
	out := make([]commitResult, n)
	for i := range out {
		out[i].err = err
	}
	return out
}

// splitStatements is how many statements write a batch that is split.
const splitStatements = 3

// insertByWorkspace writes each workspace's leads in a statement of their own, after one of them made the batch wait
// for another transaction that has its email. The leads of a workspace that has to wait again fail with
// pg.ErrLockTimeout: their callers write each by itself.
func (s *Service) insertByWorkspace(ctx context.Context, leads []pg.NewLead) []commitResult {
	places := map[id.UUID][]int{}
	for i := range leads {
		places[leads[i].WorkspaceID] = append(places[leads[i].WorkspaceID], i)
	}
	if len(places) == 1 {
		return failAll(len(leads), pg.ErrLockTimeout)
	}
	out := make([]commitResult, len(leads))
	var g errgroup.Group
	g.SetLimit(splitStatements)
	for _, own := range places {
		g.Go(func() error {
			part := make([]pg.NewLead, len(own))
			for n, i := range own {
				part[n] = leads[i]
			}
			for n, done := range s.insertRecovered(ctx, part) {
				out[own[n]] = done
			}
			return nil
		})
	}
	_ = g.Wait()
	return out
}

// insertRecovered is insert whose error, or panic, is the result of each lead.
func (s *Service) insertRecovered(ctx context.Context, leads []pg.NewLead) []commitResult {
	insert := batch.Recover(s.Log, "commit", func(leads []pg.NewLead) []commitResult {
		done, err := s.insert(ctx, leads)
		if err != nil {
			return failAll(len(leads), err)
		}
		return done
	}, func(err error) commitResult { return commitResult{err: err} })
	return insert(leads)
}

// insert writes leads; when Postgres refuses a row for what is in it, it halves the batch until only that row is
// refused. Leads that are too large for one statement are halved first. Where another transaction has one of the emails
// for longer than shortWait, it is pg.ErrLockTimeout.
func (s *Service) insert(ctx context.Context, leads []pg.NewLead) ([]commitResult, error) {
	if tooLarge(leads) {
		return s.insertHalves(ctx, leads)
	}
	start := time.Now()
	done, err := s.DB.InsertLeadsWithin(ctx, leads, shortWait)
	s.metrics.commit.Observe(time.Since(start).Seconds())
	traceCommit(len(leads), func(i int) *trace.Span { return leads[i].Trace }, start, err)
	if err == nil {
		s.announce(ctx, leads, done)
		out := make([]commitResult, len(leads))
		for i := range out {
			out[i].LeadResult = done.Leads[i]
		}
		return out, nil
	}
	if fault.Is(err, fault.Unavailable) {
		return nil, err
	}
	if len(leads) == 1 {
		// Its id exists although no lead has its email: the same request created it before, and it was deleted since.
		if errors.Is(err, pg.ErrUniqueViolation) {
			return []commitResult{{}}, nil
		}
		s.Log.Error("lead rejected by Postgres", "sqlstate", pg.SQLState(err))
		return []commitResult{{err: err}}, nil
	}
	return s.insertHalves(ctx, leads)
}

// insertHalves inserts the first half of leads, and then the second.
func (s *Service) insertHalves(ctx context.Context, leads []pg.NewLead) ([]commitResult, error) {
	half := len(leads) / 2
	first, err := s.insert(ctx, leads[:half])
	if err != nil {
		return nil, err
	}
	second, err := s.insert(ctx, leads[half:])
	if err != nil { // the first half is durable: say so
		second = failAll(len(leads)-half, err)
	}
	return append(first, second...), nil
}

// commitBytes is how much metadata and fields one statement writes: it is held in several forms until it is written.
const commitBytes = 1 << 20

func tooLarge(leads []pg.NewLead) bool {
	size := 0
	for i := range leads {
		size += len(leads[i].Metadata)
		if sub := leads[i].Submission; sub != nil {
			size += sub.Size()
		}
	}
	return size > commitBytes && len(leads) > 1
}

// announce marks the reservations of leads as committed and wakes the workers. When it fails nothing is lost:
// reservations lapse and Postgres decides, and the worker's sweep wakes.
func (s *Service) announce(ctx context.Context, leads []pg.NewLead, done pg.Inserted) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	reservations := make([]rdb.Reservation, 0, len(leads))
	keys := make([]task.Key, 0, len(done.Wake)+1)
	for _, w := range done.Wake {
		keys = append(keys, task.Drain(w.Workspace, w.Endpoint))
	}
	enrich := false
	for i := range leads {
		l, res := &leads[i], done.Leads[i]
		holder := l.ID
		if res.Suppressed {
			continue
		}
		if res.Taken {
			holder = res.Holder
		} else {
			enrich = true
		}
		if holder != (id.UUID{}) {
			r := rdb.Reservation{Workspace: l.WorkspaceID, UniqueKey: l.UniqueKey, LeadID: holder}
			reservations = append(reservations, r)
		}
	}
	if enrich {
		keys = append(keys, task.EnrichDue())
	}
	start := time.Now()
	_ = s.Waker.Announce(ctx, reservations, keys)
	s.metrics.announce.Observe(time.Since(start).Seconds())
}
