package upkeep

import (
	"context"
	"errors"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
)

// Bounds of what one sweep wakes; the next one goes on.
const (
	scanLimit    = 10_000 // endpoints with pending deliveries
	probeLimit   = 1000   // failing endpoints that get a probe task, and those whose probe task runs now
	watchLimit   = 500    // endpoints that are compared with their workspaces' targets
	wakeLimit    = 5000   // replays, and imports
	pendingLimit = 5000   // deliveries of endpoints that are not enabled
	reindexLimit = 2000   // leads from before there was a search index; new ones wait for no more than these
)

// endpoints wakes drains, makes sure that each failing endpoint has a probe task, and holds or cancels what waits for
// disabled and deleted endpoints.
func (u *Upkeep) endpoints(ctx context.Context) (n int, more bool, err error) {
	waiting, err := u.scan(ctx)
	if err != nil {
		return 0, false, err
	}
	var due, probeNow, probe []task.Key
	notEnabled := false
	for _, w := range waiting {
		key := task.Drain(w.Workspace, w.Endpoint)
		if w.DrainDue {
			due = append(due, key)
		}
		switch {
		case w.ProbeDue:
			probeNow = append(probeNow, key)
		case w.NeedsProbeTask:
			probe = append(probe, key)
		}
		notEnabled = notEnabled || w.NotEnabled
	}
	// Together with the others, which fill the queue whose being empty says that their task was lost.
	woken, err := u.Waker.Woken(ctx)
	err = errors.Join(err, u.repair(ctx, kindEndpoint, append(woken, due...)),
		u.ensureProbeTasks(ctx, probeNow, true), u.ensureProbeTasks(ctx, probe, false))
	if notEnabled {
		ended, failed := u.DB.HoldOrCancelPending(ctx, pendingLimit)
		u.metrics.settled.Add(float64(ended))
		err = errors.Join(err, failed)
	}
	return len(due) + len(probeNow) + len(probe), false, err
}

// scan returns the next endpoints with pending deliveries: all of them, or where there are many, those after the last
// scan's.
func (u *Upkeep) scan(ctx context.Context) ([]pg.WaitingEndpoint, error) {
	waiting, err := u.DB.WaitingEndpoints(ctx, u.scanAfter, time.Time{}, u.scanLimit)
	if err != nil {
		return nil, err
	}
	if u.scanAfter == (pg.EndpointRef{}) {
		u.scans++
	}
	u.scanAfter = pg.EndpointRef{}
	if len(waiting) == u.scanLimit {
		u.scanAfter = waiting[len(waiting)-1].EndpointRef
	}
	return waiting, nil
}

// repair wakes keys that have due work and nobody working on it.
func (u *Upkeep) repair(ctx context.Context, kind string, keys []task.Key) error {
	stranded, err := u.Waker.Repair(ctx, keys)
	u.metrics.woken.WithLabelValues(kind).Add(float64(stranded))
	return err
}

// ensureProbeTasks makes sure that failing endpoints have a probe task, probeLimit of them in each scan, and where due
// is set that it runs now.
func (u *Upkeep) ensureProbeTasks(ctx context.Context, failing []task.Key, due bool) error {
	stranded, err := u.Waker.EnsureProbeTasks(ctx, window(failing, u.scans, u.probeLimit), due)
	u.metrics.woken.WithLabelValues(kindFailing).Add(float64(stranded))
	return err
}

// window returns the n-th window of at most limit keys; after the last window comes the first again.
func window(keys []task.Key, n, limit int) []task.Key {
	windows := max(1, (len(keys)+limit-1)/limit)
	first := n % windows * limit
	return keys[first:min(first+limit, len(keys))]
}

// enrichments wakes the enrichment of leads, if some are due.
func (u *Upkeep) enrichments(ctx context.Context) (n int, more bool, err error) {
	due, err := u.DB.DueEnrichments(ctx, id.UUID{}, 1, 1)
	return wake(ctx, u, kindEnrichment, due, err, func(pg.DueEnrichment) task.Key { return task.EnrichDue() })
}

// reindexSearch has leads enriched again whose words are of a former version.
func (u *Upkeep) reindexSearch(ctx context.Context) (n int, more bool, err error) {
	n, err = u.DB.ReindexSearch(ctx, reindexLimit)
	return n, n == reindexLimit, err
}

// replays wakes those that run.
func (u *Upkeep) replays(ctx context.Context) (n int, more bool, err error) {
	due, err := u.DB.DueReplays(ctx, wakeLimit)
	return wake(ctx, u, kindReplay, due, err, func(r pg.ReplayRef) task.Key { return task.Replay(r.Workspace, r.Replay) })
}

// imports wakes those that have not ended, and ends uploads that have stopped.
func (u *Upkeep) imports(ctx context.Context) (n int, more bool, err error) {
	failed, errUploads := u.DB.FailStaleUploads(ctx)
	if failed > 0 {
		u.Log.Warn("uploads stopped", "imports", failed)
	}
	due, err := u.DB.DueImports(ctx, wakeLimit)
	n, more, err = wake(ctx, u, kindImport, due, err, func(i pg.ImportRef) task.Key {
		return task.Import(i.Workspace,
			i.Import)
	})
	return n, more, errors.Join(errUploads, err)
}

// wake repairs the wake-ups of what was found due; err is that of finding it.
func wake[T any](ctx context.Context, u *Upkeep, kind string, due []T, err error, key func(T) task.Key) (n int,
	more bool, _ error) {
	if err != nil {
		return 0, false, err
	}
	keys := make([]task.Key, len(due))
	for i, d := range due {
		keys[i] = key(d)
	}
	return len(keys), false, u.repair(ctx, kind, keys)
}
