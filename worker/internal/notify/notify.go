// Package notify tells the operator's hook about endpoints, of whatever workspace, that fail and are disabled.
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
	limit    = 20               // notices told in one round, at once
	timeout  = 10 * time.Second // of telling one
	every    = 10 * time.Second // from round to round
	maxEvery = 5 * time.Minute  // while the hook does not take them
)

// Deps is what a Notifier works with. All fields but Every are required.
type Deps struct {
	DB     *pg.DB
	Send   func(context.Context, *webhook.Endpoint, *webhook.Job) (a webhook.Attempt, made bool) // guarded like any webhook: a hook in a private network must be allowed
	URL    string
	Secret string        // whsec_ or whsk_...
	Every  time.Duration // from round to round; 0: 10 s
	Log    *slog.Logger
}

// Notifier tells what Postgres says the hook is owed, signed like any webhook and with the event's id at every try.
//
//	ticker of every worker --> due? --> the one that has the lock: up to 20 requests --> settled, or owed still
//
// It has a goroutine of its own, so that a slow hook delays nobody.
type Notifier struct {
	Deps
	hook   webhook.Endpoint
	ticker *lifecycle.Loop
	wait   time.Duration // before the next round; of the ticker's goroutine only
}

// New makes a Notifier.
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

// tick runs one round, and doubles the wait while rounds fail.
func (n *Notifier) tick(ctx context.Context) time.Duration {
	ok, err := n.round(ctx)
	if err != nil && ctx.Err() == nil {
		n.Log.Warn("operator hook", "error", err.Error())
	}
	if ok && err == nil {
		n.wait = n.Every
	} else {
		n.wait = min(2*n.wait, max(maxEvery, n.Every))
	}
	return n.wait
}

// round tells what is due, unless another worker does just now. ok: whatever was told was taken.
func (n *Notifier) round(ctx context.Context) (ok bool, err error) {
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
				if !n.tell(ctx, &due[i]) {
					refused.Store(true)
				}
			})
		}
		all.Wait()
		return nil
	})
	return !refused.Load(), err
}

// tell makes one attempt. The log names no URL: whoever knows it may be able to speak there.
func (n *Notifier) tell(ctx context.Context, due *pg.Notice) (taken bool) {
	log := n.Log.With("type", due.Type, "event", id.Event.Format(due.Event), "workspace", id.Workspace.Format(due.Workspace), "endpoint", id.Endpoint.Format(due.Endpoint))
	a, made := n.Send(ctx, &n.hook, &webhook.Job{EventID: due.Event, EventType: due.Type, EventAt: due.At, Data: withWorkspace(due)})
	if !made {
		return false
	}
	if a.Error != "" {
		log.Warn("the operator hook does not take a notice, will try again", "error", a.Error)
		return false
	}
	log.Info("operator told")
	if err := n.DB.AckNotice(ctx, due.Workspace, due.Endpoint, due.Event); err != nil {
		log.Warn("a notice will be told again", "error", err.Error())
		return false
	}
	return true
}

// withWorkspace adds whose endpoint it is, which the workspace itself need not be told.
func withWorkspace(due *pg.Notice) []byte {
	data := append([]byte(`{"workspaceId":"`), id.Workspace.Format(due.Workspace)...)
	return append(append(data, `",`...), due.Data[1:]...)
}
