// Package notify sends notices to the operator's hook: endpoints, of whatever workspace, that fail or are disabled.
package notify

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lifecycle"
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

const (
	limit    = 20               // notices in one batch, sent at once
	timeout  = 10 * time.Second // of sending one
	every    = 10 * time.Second // from batch to batch
	maxEvery = 5 * time.Minute  // while the hook does not accept them
)

// Deps is what a Notifier works with. All fields but Every are required.
type Deps struct {
	DB     *pg.DB
	URL    string
	Secret string        // whsec_ or whsk_...
	Every  time.Duration // from batch to batch; 0: 10 s
	Log    *slog.Logger

	// Send is guarded like any webhook: a hook in a private network must be allowed.
	Send func(context.Context, *webhook.Endpoint, *webhook.DueDelivery) (a webhook.Attempt, made bool)
}

// Notifier sends the notices that are due in Postgres, signed like any webhook and with the event's id at every try.
//
//	ticker of every worker --> due? --> the one that has the lock: up to 20 requests --> acknowledged, or due again
//
// It has a goroutine of its own, so that a slow hook delays nobody.
type Notifier struct {
	Deps
	hook   webhook.Endpoint
	ticker *lifecycle.Loop
	wait   time.Duration // before the next batch; of the ticker's goroutine only
}

// New returns a Notifier.
func New(d Deps) *Notifier {
	if d.Every == 0 {
		d.Every = every
	}
	n := &Notifier{Deps: d, wait: d.Every,
		hook: webhook.Endpoint{URL: d.URL, Secret: d.Secret, Payload: webhook.PayloadFull, Timeout: timeout}}
	n.ticker = lifecycle.NewLoop(0, n.tick)
	return n
}

// Start starts the ticker.
func (n *Notifier) Start() { n.ticker.Start() }

// Stop cancels the requests under way, whose notices stay pending, and waits for the ticker.
func (n *Notifier) Stop() { n.ticker.Stop() }

// tick sends one batch, and doubles the wait while notices are not accepted.
func (n *Notifier) tick(ctx context.Context) time.Duration {
	ok, err := n.sendDue(ctx)
	if err != nil && ctx.Err() == nil {
		n.Log.Warn("send notices failed", "error", err.Error())
	}
	if ok && err == nil {
		n.wait = n.Every
	} else {
		n.wait = min(2*n.wait, max(maxEvery, n.Every))
	}
	return n.wait
}

// sendDue sends what is due, unless another worker is at it. ok reports whether the hook accepted all of it.
func (n *Notifier) sendDue(ctx context.Context) (ok bool, err error) {
	due, err := n.DB.DueNotices(ctx, 1)
	if err != nil || len(due) == 0 {
		return true, err
	}
	var refused atomic.Bool
	_, err = n.DB.Alone(ctx, "operator hook", func() error {
		due, err := n.DB.DueNotices(ctx, limit)
		if err != nil {
			return err
		}
		var all sync.WaitGroup
		for i := range due {
			all.Go(func() {
				if !n.send(ctx, &due[i]) {
					refused.Store(true)
				}
			})
		}
		all.Wait()
		return nil
	})
	return !refused.Load(), err
}

// send makes one attempt, and reports whether the hook accepted it. The log has no URL: whoever knows it may be able to
// post there.
func (n *Notifier) send(ctx context.Context, due *pg.Notice) (accepted bool) {
	log := n.Log.With("type", due.Type, "event", id.Event.Format(due.Event),
		"workspace", id.Workspace.Format(due.Workspace), "endpoint", id.Endpoint.Format(due.Endpoint))
	delivery := webhook.DueDelivery{EventID: due.Event, EventType: due.Type, EventAt: due.At, Data: withWorkspace(due)}
	a, made := n.Send(ctx, &n.hook, &delivery)
	if !made {
		return false
	}
	if a.Error != "" {
		log.Warn("notice not accepted by the operator hook", "error", a.Error)
		return false
	}
	log.Info("notice sent to the operator hook")
	if err := n.DB.AckNotice(ctx, due.Workspace, due.Endpoint, due.Event); err != nil {
		log.Warn("acknowledge notice failed: it will be sent again", "error", err.Error())
		return false
	}
	return true
}

// withWorkspace adds the workspace's id, which an event of the workspace itself does not have.
func withWorkspace(due *pg.Notice) []byte {
	data := append([]byte(`{"workspaceId":"`), id.Workspace.Format(due.Workspace)...)
	return append(append(data, `",`...), due.Data[1:]...)
}
