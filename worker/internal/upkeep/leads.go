package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// releases frees in Redis the emails that leads gave up while it was away. Until then it would name leads that have them no longer.
func (u *Upkeep) releases(ctx context.Context) (string, error) {
	freed := 0
	for range freeRounds {
		due, err := u.DB.DueReleases(ctx, freeLimit)
		if err != nil || len(due) == 0 {
			return told("freed: %d emails", freed), err
		}
		held := make([]rdb.Reservation, len(due))
		for i, r := range due {
			held[i] = rdb.Reservation{Workspace: r.Workspace, EmailKey: r.EmailKey, LeadID: r.LeadID}
		}
		if err := rdb.Release(ctx, u.Redis, held); err != nil {
			return "", fmt.Errorf("free emails: %w", err)
		}
		if err := u.DB.ForgetReleases(ctx, due); err != nil {
			return "", err
		}
		freed += len(due)
		u.metrics.freed.Add(float64(len(due)))
	}
	return told("freed: %d emails", freed), nil
}

// told is nothing where nothing was done.
func told(format string, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

// Bounds of clearing: what is not done in an hour is for the next one, and a sweep is not held up for long.
const (
	clearTime  = 2 * time.Minute // an hour
	clearSlice = 5 * time.Second // a sweep
	purgeBatch = 100             // leads, each in a commit of its own
	keyBatch   = 10_000
)

// clear erases leads that can be restored no longer, and deletes answers that were kept for their day: every hour, for as many sweeps as it takes.
func (u *Upkeep) clear(ctx context.Context) (string, error) {
	if !u.clearing.TryLock() {
		return "", nil
	}
	defer u.clearing.Unlock()
	if now := u.Now(); now.Sub(u.cleared) >= hour {
		u.cleared, u.clearLeft = now, clearTime
	}
	if u.clearLeft <= 0 {
		return "", nil
	}
	start := time.Now()
	end := start.Add(min(clearSlice, u.clearLeft))
	purged, morePurges, errPurge := u.purge(ctx, end)
	keys, moreKeys, errKeys := u.clearKeys(ctx, end)
	u.metrics.purged.Add(float64(purged))
	u.metrics.keys.Add(float64(keys))
	if u.clearLeft -= time.Since(start); !morePurges && !moreKeys {
		u.clearLeft = 0
	}
	err := errors.Join(errPurge, errKeys)
	if err != nil {
		u.Log.Warn("old leads and keys are left for the next hour", "error", err.Error())
	}
	if purged+keys == 0 {
		return "", nil
	}
	return fmt.Sprintf("purged: %d leads, %d idempotency keys", purged, keys), nil
}

// purge erases leads until end; more: there may be others.
func (u *Upkeep) purge(ctx context.Context, end time.Time) (purged int, more bool, err error) {
	for time.Now().Before(end) {
		due, err := u.DB.DuePurges(ctx, purgeBatch)
		if err != nil || len(due) == 0 {
			return purged, false, err
		}
		before := purged
		var errs []error
		woken := map[pg.EndpointRef]bool{}
		for _, d := range due {
			e, err := u.DB.EraseLead(ctx, d.Workspace, d.Lead, pg.Erasure{})
			switch {
			case err == nil:
				purged++
			case !fault.Is(err, fault.NotFound): // another worker was faster, or it was restored
				errs = append(errs, fmt.Errorf("purge %s: %w", id.Lead.Format(d.Lead), err))
			}
			for _, w := range e.Wake {
				woken[w] = true
			}
		}
		keys := make([]task.Key, 0, len(woken))
		for w := range woken {
			keys = append(keys, task.Drain(w.Workspace, w.Endpoint))
		}
		if err := u.Waker.Wake(ctx, keys); err != nil {
			errs = append(errs, err)
		}
		if len(due) < purgeBatch || purged == before { // those that fail would come again
			return purged, false, errors.Join(errs...)
		}
	}
	return purged, true, nil
}

// clearKeys deletes old answers until end; more: there may be others.
func (u *Upkeep) clearKeys(ctx context.Context, end time.Time) (deleted int, more bool, err error) {
	for time.Now().Before(end) {
		n, err := u.DB.DeleteOldKeys(ctx, keyBatch)
		deleted += n
		if err != nil || n < keyBatch {
			return deleted, false, err
		}
	}
	return deleted, true, nil
}
