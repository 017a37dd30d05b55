package upkeep

import (
	"context"
	"errors"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// slowEndpoints notifies of endpoints that became slower than their workspaces' targets, and notes which are so no
// longer. n counts those that became it.
func (u *Upkeep) slowEndpoints(ctx context.Context) (n int, more bool, err error) {
	all, err := u.DB.WatchEndpoints(ctx, u.watchAfter, u.watchLimit)
	if err != nil {
		return 0, false, err
	}
	u.watchAfter = pg.EndpointRef{}
	if more = len(all) == u.watchLimit; more {
		u.watchAfter = all[len(all)-1].EndpointRef
	}
	var errs []error
	woken := map[pg.EndpointRef]bool{}
	for _, e := range all {
		ms, slow := e.Window.Slow(e.Target)
		switch {
		case e.Slow && (e.Target == 0 || e.Window.Fast(e.Target)):
			errs = append(errs, u.DB.EndSlow(ctx, e.EndpointRef))
		case !e.Slow && e.Target > 0 && slow:
			notified, wake, err := u.DB.NotifySlow(ctx, e.EndpointRef, webhook.Slow{P95MS: ms, TargetMS: e.Target})
			errs = append(errs, err)
			if notified {
				n++
				u.Log.Info("endpoint slow", "workspace", id.Workspace.Format(e.Workspace),
					"endpoint", id.Endpoint.Format(e.Endpoint), "p95_ms", ms, "target_ms", e.Target)
			}
			for _, w := range wake {
				woken[w] = true
			}
		}
	}
	errs = append(errs, u.wakeDrains(ctx, woken))
	return n, more, errors.Join(errs...)
}
