package upkeep

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
)

// Bounds of what one sweep deletes; the next one goes on.
const (
	purgeTime    = 3 * time.Second  // of deleting leads, of erasing some, and of deleting keys
	purgeBatch   = 100              // leads read at a time; each is erased in commits of its own
	eraseTimeout = 20 * time.Second // of one lead; what was erased of it by then stays so
	keyBatch     = 10_000
)

// createPartitions creates partitions weeks ahead. Without them nothing can be stored some day, so a failure is tried
// again soon.
func (u *Upkeep) createPartitions(ctx context.Context) (n int, more bool, err error) {
	err = u.DB.EnsurePartitions(ctx)
	if ahead, aheadErr := u.DB.PartitionsAhead(ctx); aheadErr == nil {
		until := u.Now().Add(ahead)
		u.metrics.partitions.Store(&until)
	} else {
		err = errors.Join(err, aheadErr)
	}
	return 0, err != nil, err
}

// maxToldHeld is how many endpoints a log names whose held deliveries were dropped.
const maxToldHeld = 20

// dropPartitions drops weeks of events, deliveries, attempts and submissions that are older than their retention. It
// tells of held deliveries that go with them: nobody can have them sent any more.
func (u *Upkeep) dropPartitions(ctx context.Context) (n int, more bool, err error) {
	out, err := u.DB.DropOldPartitions(ctx, u.Retention, u.SubmissionRetention)
	if !out.Elsewhere {
		u.metrics.kept.Store(int64(len(out.Kept)))
	}
	if err == nil && !out.Elsewhere {
		u.metrics.retention.Set(float64(u.Now().Unix()))
	}
	if len(out.Partitions) > 0 {
		u.Log.Info("old partitions dropped", "partitions", strings.Join(out.Partitions, " "))
	}
	if len(out.Kept) > 0 {
		u.Log.Warn("old partitions kept: deliveries are still pending", "partitions", strings.Join(out.Kept, " "))
	}
	for i, h := range out.Held {
		u.metrics.heldDropped.Add(float64(h.Deliveries))
		if i < maxToldHeld {
			u.Log.Warn("held deliveries dropped: their endpoint was disabled, or their workspace suspended, until they were too old",
				"workspace", id.Workspace.Format(h.Workspace), "endpoint", id.Endpoint.Format(h.Endpoint), "deliveries", h.Deliveries)
		}
	}
	if more := len(out.Held) - maxToldHeld; more > 0 {
		u.Log.Warn("held deliveries dropped: more endpoints", "endpoints", more)
	}
	return len(out.Partitions), false, err
}

// untilNext makes a chore of a method that deletes what is old; what it cannot delete now waits for the next time,
// unless the sweep ended before.
func untilNext(del func(context.Context) (int, error)) func(context.Context) (int, bool, error) {
	return func(ctx context.Context) (int, bool, error) {
		n, err := del(ctx)
		return n, ctx.Err() != nil, err
	}
}

func (u *Upkeep) deleteOldEndpoints(ctx context.Context) (int, error) {
	endpoints, replays, err := u.DB.DeleteOld(ctx, u.Retention)
	return endpoints + replays, err
}

func (u *Upkeep) deleteOldImports(ctx context.Context) (int, error) {
	return u.DB.DeleteOldImports(ctx, u.Retention)
}

// Bounds of folding books in one sweep; the next one goes on.
const (
	foldBatch = 10_000 // entries of one statement
	foldTime  = 3 * time.Second
)

// foldBooks moves what was counted since the last sweep into books.
func (u *Upkeep) foldBooks(ctx context.Context) (n int, more bool, err error) {
	for end := time.Now().Add(foldTime); ; {
		folded, err := u.DB.FoldBooks(ctx, foldBatch)
		n += folded
		if err != nil || folded < foldBatch || !time.Now().Before(end) {
			return n, false, err
		}
	}
}

// deleteKeys deletes idempotency keys and the answers kept with them, once they have expired.
func (u *Upkeep) deleteKeys(ctx context.Context) (n int, more bool, err error) {
	for end := time.Now().Add(u.purgeTime); ; {
		deleted, err := u.DB.DeleteOldKeys(ctx, u.keyBatch)
		n += deleted
		if err != nil || deleted < u.keyBatch {
			return n, err != nil, err
		}
		if !time.Now().Before(end) {
			return n, true, nil
		}
	}
}

// purgeLeads erases deleted leads that can be restored no longer. One that cannot be erased now waits for the next
// hour, and keeps no other waiting.
func (u *Upkeep) purgeLeads(ctx context.Context) (n int, more bool, err error) {
	var errs []error
	for end, more := time.Now().Add(u.purgeTime), true; more; more = time.Now().Before(end) {
		due, err := u.DB.DuePurges(ctx, u.purged, u.purgeBatch)
		if err != nil {
			return n, true, errors.Join(append(errs, err)...)
		}
		woken := map[pg.EndpointRef]bool{}
		for i := 0; i < len(due) && (i == 0 || time.Now().Before(end)); i++ {
			ok, err := u.eraseLead(ctx, due[i].LeadRef, pg.Erasure{OnlyPurgeable: true}, woken)
			if ok {
				n++
			}
			if ctx.Err() != nil {
				return n, true, errors.Join(append(errs, err)...)
			}
			errs = append(errs, err)
			u.purged = due[i]
		}
		errs = append(errs, u.wakeDrains(ctx, woken))
		if len(due) < u.purgeBatch && (len(due) == 0 || u.purged == due[len(due)-1]) {
			u.purged = pg.Purge{}
			return n, false, errors.Join(errs...)
		}
	}
	return n, true, errors.Join(errs...)
}

// erasureBatch is how many erasures one sweep goes on with.
const erasureBatch = 20

// erasures goes on with erasures that requests have begun. One that fails keeps no other waiting.
func (u *Upkeep) erasures(ctx context.Context) (n int, more bool, err error) {
	running, err := u.DB.RunningErasures(ctx, erasureBatch)
	errs := []error{err}
	woken := map[pg.EndpointRef]bool{}
	for i, end := 0, time.Now().Add(u.purgeTime); i < len(running) && (i == 0 || time.Now().Before(end)); i++ {
		ok, err := u.eraseLead(ctx, running[i].LeadRef, pg.Erasure{Job: &running[i]}, woken)
		if ok {
			n++
		}
		errs = append(errs, err)
	}
	errs = append(errs, u.wakeDrains(ctx, woken))
	return n, true, errors.Join(errs...)
}

// wakeDrains wakes the drains of endpoints.
func (u *Upkeep) wakeDrains(ctx context.Context, woken map[pg.EndpointRef]bool) error {
	keys := make([]task.Key, 0, len(woken))
	for w := range woken {
		keys = append(keys, task.Drain(w.Workspace, w.Endpoint))
	}
	return u.Waker.Wake(ctx, keys)
}

// eraseLead erases one lead, and adds the endpoints that get its event to woken. It is no error that there is no such
// lead: another worker was faster, or it was restored.
func (u *Upkeep) eraseLead(ctx context.Context, l pg.LeadRef, how pg.Erasure, woken map[pg.EndpointRef]bool) (ok bool,
	err error) {
	ctx, cancel := context.WithTimeout(ctx, eraseTimeout)
	defer cancel()
	e, err := u.DB.EraseLead(ctx, l.Workspace, l.Lead, how)
	switch {
	case fault.Is(err, fault.NotFound) && how.Job != nil:
		return false, u.DB.EndErasure(ctx, l)
	case fault.Is(err, fault.NotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("erase %s: %w", id.Lead.Format(l.Lead), err)
	}
	for _, w := range e.Wake {
		woken[w] = true
	}
	return true, nil
}
