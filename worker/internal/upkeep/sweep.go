package upkeep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// Bounds of one sweep; the next one goes on.
const (
	lookLimit   = 10_000 // endpoints with pending deliveries
	standLimit  = 1000   // failing ones that get a task
	wakeLimit   = 5000   // workspaces, and replays
	settleLimit = 5000   // deliveries
)

// Sweep handles the task of one tick. One that fails is dropped and not archived: the next tick does the same.
func (u *Upkeep) Sweep(ctx context.Context, t *asynq.Task) error {
	if err := rdb.AnnounceQueues(ctx, u.Redis, task.Queues()...); err != nil {
		return fmt.Errorf("%w: announce queues: %w", asynq.RevokeTask, err)
	}
	var told []string
	var errs []error
	for _, part := range []func(context.Context) (string, error){u.endpoints, u.enrichments, u.replays, u.everyHour} {
		text, err := part(ctx)
		if text != "" {
			told = append(told, text)
		}
		errs = append(errs, err) // what one part cannot do is no reason to leave out the others
	}
	t.ResultWriter().Write([]byte(strings.Join(told, ", "))) // only to be read by people
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", asynq.RevokeTask, err)
	}
	return nil
}

// endpoints wakes drains, sees to it that a task stands for each failing endpoint, and settles what waits for disabled and deleted ones.
func (u *Upkeep) endpoints(ctx context.Context) (string, error) {
	waiting, err := u.look(ctx)
	if err != nil {
		return "", err
	}
	var due []task.Key
	var failing []pg.Waiting
	idle := false
	for _, w := range waiting {
		if w.Due {
			due = append(due, task.Drain(w.Workspace, w.Endpoint))
		}
		if w.Failing {
			failing = append(failing, w)
		}
		idle = idle || w.Idle
	}
	errs := []error{u.repair(ctx, kindEndpoint, due), u.stand(ctx, failing)}
	text := fmt.Sprintf("due: %d endpoints, failing: %d", len(due), len(failing))
	if idle {
		settled, err := u.DB.SettlePending(ctx, settleLimit)
		u.metrics.settled.Add(float64(settled))
		text += fmt.Sprintf(", settled: %d deliveries", settled)
		errs = append(errs, err)
	}
	return text, errors.Join(errs...)
}

func (u *Upkeep) repair(ctx context.Context, kind string, keys []task.Key) error {
	stranded, err := u.Waker.Repair(ctx, keys)
	u.metrics.woken.WithLabelValues(kind).Add(float64(stranded))
	return err
}

// stand sees to up to standLimit failing endpoints, those first that were to be tried first.
func (u *Upkeep) stand(ctx context.Context, failing []pg.Waiting) error {
	slices.SortFunc(failing, func(a, b pg.Waiting) int { return a.TryAt.Compare(b.TryAt) })
	keys := make([]task.Key, min(len(failing), standLimit))
	for i := range keys {
		keys[i] = task.Drain(failing[i].Workspace, failing[i].Endpoint)
	}
	stranded, err := u.Waker.StandAll(ctx, keys, false)
	u.metrics.woken.WithLabelValues(kindFailing).Add(float64(stranded))
	return err
}

// look returns the next endpoints with pending deliveries: all of them, or where there are many, those after the ones looked at last.
func (u *Upkeep) look(ctx context.Context) ([]pg.Waiting, error) {
	u.mu.Lock()
	after := u.after
	u.mu.Unlock()
	waiting, err := u.DB.WaitingEndpoints(ctx, after, time.Time{}, u.lookLimit)
	if err != nil {
		return nil, err
	}
	next := pg.EndpointRef{}
	if len(waiting) == u.lookLimit {
		next = waiting[len(waiting)-1].EndpointRef
	}
	u.mu.Lock()
	u.after = next
	u.mu.Unlock()
	return waiting, nil
}

// enrichments wakes the workspaces that are owed enrichment.
func (u *Upkeep) enrichments(ctx context.Context) (string, error) {
	workspaces, err := u.DB.DueEnrichments(ctx, wakeLimit)
	if err != nil {
		return "", err
	}
	keys := make([]task.Key, len(workspaces))
	for i, w := range workspaces {
		keys[i] = task.Enrich(w)
	}
	return fmt.Sprintf("leads of %d workspaces", len(workspaces)), u.repair(ctx, kindEnrichment, keys)
}

// replays wakes those that run.
func (u *Upkeep) replays(ctx context.Context) (string, error) {
	running, err := u.DB.DueReplays(ctx, wakeLimit)
	if err != nil {
		return "", err
	}
	keys := make([]task.Key, len(running))
	for i, r := range running {
		keys[i] = task.Replay(r.Workspace, r.Replay)
	}
	return fmt.Sprintf("replays: %d", len(running)), u.repair(ctx, kindReplay, keys)
}
