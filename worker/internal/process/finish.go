package process

import (
	"context"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// finish follows the last batch: a failing endpoint gets its probe task, and the health policy is applied.
func (d *drain) finish(ctx context.Context) error {
	ctx, cancel := closing(ctx)
	defer cancel()
	if h := d.health.now(); h.Failing() {
		d.logWake(d.key, "ensure probe task", d.Waker.EnsureProbeTask(ctx, d.key)) // where it fails, the sweep does it
	}
	return d.applyHealthPolicy(ctx)
}

// applyHealthPolicy disables an endpoint that wants nothing more or has done nothing but fail for DisableAfter, and
// notifies the workspace of one that has failed for webhook.NotifyAfter.
func (d *drain) applyHealthPolicy(ctx context.Context) (err error) {
	health, workspace, endpoint := &d.health, d.key.Workspace, d.key.Endpoint
	h := health.now()
	var failingFor time.Duration
	if h.FailingSince != nil {
		failingFor = d.Now().Sub(*h.FailingSince)
	}
	var wake []pg.EndpointRef
	var disabled bool
	switch {
	case health.gone:
		disabled, wake, err = d.DB.DisableGone(ctx, workspace, endpoint, health.url)
	case d.DisableAfter > 0 && failingFor >= d.DisableAfter:
		disabled, wake, err = d.DB.DisableFailing(ctx, workspace, endpoint, d.DisableAfter)
	case failingFor >= webhook.NotifyAfter && !h.Notified:
		wake, err = d.DB.NotifyFailing(ctx, workspace, endpoint, webhook.NotifyAfter)
	}
	if disabled {
		d.Log.Warn("endpoint disabled", "key", d.key.String(), "host", webhook.Host(health.url),
			"failing_for", failingFor.Round(time.Second).String(), "error", h.LastError)
	}
	if err != nil || len(wake) == 0 {
		return err
	}
	d.logWake(d.key, "wake drains", d.Waker.Wake(ctx, Drains(wake)))
	return nil
}
