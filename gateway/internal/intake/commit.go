package intake

import (
	"context"
	"errors"
	"slices"
	"time"

	"leadgate/gateway/internal/usage"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
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
	if err != nil {
		s.Log.Error("commit", "leads", len(leads), "error", err.Error())
		done = failAll(len(leads), err)
	}
	return append(out, done...)
}

// maxWait is how long a lead may wait for its commit before it is refused untried: while Postgres hangs, a full queue would else
// keep clients for many times a commit's own limit.
const maxWait = 4 * time.Second

var errStale = errors.New("the lead waited too long for its commit")

// failAll is n times err.
func failAll(n int, err error) []commitResult {
	out := make([]commitResult, n)
	for i := range out {
		out[i].err = err
	}
	return out
}

// noPartition is the SQLSTATE (check_violation) of a row that no partition takes: no process has made any ahead for weeks.
const noPartition = "23514"

// taken is the SQLSTATE (unique_violation) of a lead whose id there is already although nobody has its email: the same request made it,
// and it was deleted before the request came again. What it asks for was done.
const taken = "23505"

// locked is the SQLSTATE (lock_not_available) of a statement that waited too long for a row that another transaction has, such as a lead
// with the same email that an import is just making.
const locked = "55P03"

// insertByWorkspace writes each workspace's leads by themselves, so that none waits for another's import.
func (s *Service) insertByWorkspace(ctx context.Context, leads []pg.NewLead) []commitResult {
	of := map[id.UUID][]int{}
	for i := range leads {
		of[leads[i].WorkspaceID] = append(of[leads[i].WorkspaceID], i)
	}
	out := make([]commitResult, len(leads))
	for _, places := range of {
		own := make([]pg.NewLead, len(places))
		for n, i := range places {
			own[n] = leads[i]
		}
		done, err := s.insert(ctx, own)
		if err != nil {
			done = failAll(len(own), err)
		}
		for n, i := range places {
			out[i] = done[n]
		}
	}
	return out
}

// insert writes leads; when Postgres refuses a row for what is in it, it halves the batch until only that row is refused.
func (s *Service) insert(ctx context.Context, leads []pg.NewLead) ([]commitResult, error) {
	start := time.Now()
	done, err := s.DB.InsertLeads(ctx, leads)
	s.metrics.commit.Observe(time.Since(start).Seconds())
	if pg.Code(err) == noPartition {
		if err = s.DB.EnsurePartitions(ctx); err == nil {
			done, err = s.DB.InsertLeads(ctx, leads)
		}
	}
	if err == nil {
		s.announce(ctx, leads, done)
		s.count(leads, done.Leads)
		out := make([]commitResult, len(leads))
		for i := range out {
			out[i].LeadResult = done.Leads[i]
		}
		return out, nil
	}
	if pg.Code(err) == locked && slices.ContainsFunc(leads, func(l pg.NewLead) bool { return l.WorkspaceID != leads[0].WorkspaceID }) {
		return s.insertByWorkspace(ctx, leads), nil
	}
	if fault.Is(err, fault.Unavailable) {
		return nil, err
	}
	if len(leads) == 1 {
		if pg.Code(err) == taken {
			return []commitResult{{}}, nil
		}
		s.Log.Error("lead refused by Postgres", "sqlstate", pg.Code(err))
		return []commitResult{{err: err}}, nil
	}
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

// count tells workspaces what became of their leads.
func (s *Service) count(leads []pg.NewLead, done []pg.LeadResult) {
	for i := range leads {
		what := usage.Accepted
		if done[i].Taken {
			what = usage.Duplicates
		}
		s.Usage.Count(leads[i].WorkspaceID, what, 1)
	}
}

// announce tells Redis what is now a fact. When it fails nothing is lost: reservations lapse and Postgres decides, the sweep wakes.
func (s *Service) announce(ctx context.Context, leads []pg.NewLead, done pg.Inserted) {
	if !s.breaker.Allow(s.Now()) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	held := make([]rdb.Reservation, 0, len(leads))
	keys := make([]task.Key, 0, len(done.Wake)+1)
	for _, w := range done.Wake {
		keys = append(keys, task.Drain(w.Workspace, w.Endpoint))
	}
	woken := map[id.UUID]bool{}
	for i := range leads {
		l, res := &leads[i], done.Leads[i]
		holder := l.ID
		if res.Taken {
			holder = res.Holder
		} else if !woken[l.WorkspaceID] {
			woken[l.WorkspaceID] = true
			keys = append(keys, task.Enrich(l.WorkspaceID))
		}
		if holder != (id.UUID{}) {
			held = append(held, rdb.Reservation{Workspace: l.WorkspaceID, UniqueKey: l.UniqueKey, LeadID: holder})
		}
	}
	start := time.Now()
	s.recordRedis(s.Waker.Announce(ctx, held, keys))
	s.metrics.announce.Observe(time.Since(start).Seconds())
}
