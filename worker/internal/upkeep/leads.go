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
			held[i] = rdb.Reservation{Workspace: r.Workspace, UniqueKey: r.UniqueKey, LeadID: r.LeadID}
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

// Bounds of clearing in a sweep; the next one goes on. Where nothing is left it looks again in an hour.
const (
	clearSlice = 3 * time.Second  // each of the two parts
	purgeBatch = 100              // leads, each in commits of its own
	purgeTime  = 20 * time.Second // one of them; what was erased of it by then stays so
	keyBatch   = 10_000
)

// clear deletes answers that were kept for their day, and erases leads that can be restored no longer.
func (u *Upkeep) clear(ctx context.Context) (string, error) {
	if !u.clearing.TryLock() {
		return "", nil
	}
	defer u.clearing.Unlock()
	keys, errKeys := u.clearKeys(ctx)
	purged, errPurge := u.purge(ctx)
	u.metrics.keys.Add(float64(keys))
	u.metrics.purged.Add(float64(purged))
	if err := errors.Join(errPurge, errKeys); err != nil {
		u.Log.Warn("old leads and keys are left for later", "error", err.Error())
	}
	if purged+keys == 0 {
		return "", nil
	}
	return fmt.Sprintf("purged: %d leads, %d idempotency keys", purged, keys), nil
}

// purge erases leads for a while. One that cannot be erased now is for the next hour, and keeps no other waiting.
func (u *Upkeep) purge(ctx context.Context) (purged int, err error) {
	now := u.Now()
	if now.Before(u.purgesAt) {
		return 0, nil
	}
	var errs []error
	for end, more := time.Now().Add(u.clearSlice), true; more; more = time.Now().Before(end) {
		due, err := u.DB.DuePurges(ctx, u.purged, u.purgeBatch)
		if err != nil {
			return purged, errors.Join(append(errs, err)...)
		}
		woken := map[pg.EndpointRef]bool{}
		for i := 0; i < len(due) && (i == 0 || time.Now().Before(end)); i++ {
			ok, err := u.purgeLead(ctx, due[i].LeadRef, woken)
			if ok {
				purged++
			}
			if ctx.Err() != nil {
				return purged, errors.Join(append(errs, err)...)
			}
			errs = append(errs, err)
			u.purged = due[i]
		}
		keys := make([]task.Key, 0, len(woken))
		for w := range woken {
			keys = append(keys, task.Drain(w.Workspace, w.Endpoint))
		}
		errs = append(errs, u.Waker.Wake(ctx, keys))
		if len(due) < u.purgeBatch && (len(due) == 0 || u.purged == due[len(due)-1]) {
			u.purgesAt, u.purged = now.Add(hour), pg.Purge{}
			break
		}
	}
	return purged, errors.Join(errs...)
}

// purgeLead erases one lead, and adds the endpoints that are to hear of it to woken. It is no error that there is none such: another worker
// was faster, or it was restored.
func (u *Upkeep) purgeLead(ctx context.Context, l pg.LeadRef, woken map[pg.EndpointRef]bool) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, purgeTime)
	defer cancel()
	e, err := u.DB.EraseLead(ctx, l.Workspace, l.Lead, pg.Erasure{Old: true})
	switch {
	case fault.Is(err, fault.NotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("purge %s: %w", id.Lead.Format(l.Lead), err)
	}
	for _, w := range e.Wake {
		woken[w] = true
	}
	return true, nil
}

// clearKeys deletes old answers for a while.
func (u *Upkeep) clearKeys(ctx context.Context) (deleted int, err error) {
	now := u.Now()
	if now.Before(u.keysAt) {
		return 0, nil
	}
	for end, more := time.Now().Add(u.clearSlice), true; more; more = time.Now().Before(end) {
		n, err := u.DB.DeleteOldKeys(ctx, u.keyBatch)
		if deleted += n; err != nil {
			return deleted, err
		}
		if n < u.keyBatch {
			u.keysAt = now.Add(hour)
			break
		}
	}
	return deleted, nil
}
