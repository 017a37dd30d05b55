package upkeep

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const hour = time.Hour // partitions reach weeks ahead, and old ones can wait

// everyHour makes partitions ahead and drops what is old, in each worker that sweeps. While it is at it other sweeps do without.
func (u *Upkeep) everyHour(ctx context.Context) (string, error) {
	if !u.hourly.TryLock() {
		return "", nil
	}
	defer u.hourly.Unlock()
	now := u.Now()
	if now.Sub(u.partitioned) < hour {
		return "", nil
	}
	if err := u.DB.EnsurePartitions(ctx); err != nil {
		return "", err
	}
	u.partitioned = now
	return u.retain(ctx), nil
}

// retain drops what is older than the retention. What it cannot do now is for the next hour, and no reason to sweep again.
func (u *Upkeep) retain(ctx context.Context) string {
	dropped, kept, err := u.DB.DropOldPartitions(ctx, u.Retention)
	u.metrics.dropped.Add(float64(len(dropped)))
	u.metrics.kept.Set(float64(len(kept)))
	if len(dropped) > 0 {
		u.Log.Info("dropped old partitions", "partitions", strings.Join(dropped, " "))
	}
	if len(kept) > 0 {
		u.Log.Warn("old deliveries are kept: some are still pending", "partitions", strings.Join(kept, " "))
	}
	if err != nil {
		u.Log.Warn("old partitions are left for the next hour", "error", err.Error())
	}
	endpoints, replays, err := u.DB.DeleteOld(ctx, u.Retention)
	if err != nil {
		u.Log.Warn("old endpoints and replays are left for the next hour", "error", err.Error())
	}
	return fmt.Sprintf("dropped: %d partitions, deleted: %d endpoints, %d replays", len(dropped), endpoints, replays) + u.retainImports(ctx) + u.retainAudit(ctx) + u.retainReleases(ctx)
}

// retainReleases deletes emails that Redis could not be told to free, and has forgotten since.
func (u *Upkeep) retainReleases(ctx context.Context) string {
	deleted, err := u.DB.DeleteOldReleases(ctx)
	if err != nil {
		u.Log.Warn("old releases are left for the next hour", "error", err.Error())
	}
	return told(", %d releases", deleted)
}

// retainAudit deletes what was noted so long ago that nobody asks for it.
func (u *Upkeep) retainAudit(ctx context.Context) string {
	deleted, err := u.DB.DeleteOldAudit(ctx)
	if err != nil {
		u.Log.Warn("old audit rows are left for the next hour", "error", err.Error())
	}
	return fmt.Sprintf(", %d audit rows", deleted)
}
