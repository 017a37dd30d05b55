package upkeep

import (
	"context"
	"errors"
	"fmt"
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
	standLimit  = 1000   // failing ones that get a task, and those whose task runs now
	wakeLimit   = 5000   // workspaces, and replays
	settleLimit = 5000   // deliveries
	oweLimit    = 2000   // leads from before there were words; new ones wait for no more than these
	freeLimit   = 1000   // emails, in one round trip
	freeRounds  = 20
)

// Sweep handles the task of one tick. One that fails is dropped and not archived: the next tick does the same.
func (u *Upkeep) Sweep(ctx context.Context, t *asynq.Task) error {
	if err := rdb.AnnounceQueues(ctx, u.Redis, task.Queues()...); err != nil {
		return fmt.Errorf("%w: announce queues: %w", asynq.RevokeTask, err)
	}
	var told []string
	var errs []error
	for _, part := range []func(context.Context) (string, error){u.releases, u.endpoints, u.enrichments, u.replays, u.imports, u.everyHour, u.clear} {
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
	waiting, lap, err := u.look(ctx)
	if err != nil {
		return "", err
	}
	var due, try, rest []task.Key
	idle := false
	for _, w := range waiting {
		key := task.Drain(w.Workspace, w.Endpoint)
		if w.DrainDue {
			due = append(due, key)
		}
		switch {
		case w.ProbeDue:
			try = append(try, key)
		case w.NeedsProbeTask:
			rest = append(rest, key)
		}
		idle = idle || w.NotEnabled
	}
	errs := []error{u.repair(ctx, kindEndpoint, due), u.stand(ctx, try, lap, true), u.stand(ctx, rest, lap, false)}
	text := fmt.Sprintf("due: %d endpoints, failing: %d", len(due), len(try)+len(rest))
	if idle {
		settled, err := u.DB.HoldOrCancelPending(ctx, settleLimit)
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

// stand sees to it that a task stands for failing endpoints, standLimit of them in each lap, and where due is set that it runs now.
func (u *Upkeep) stand(ctx context.Context, failing []task.Key, lap int, due bool) error {
	stranded, err := u.Waker.EnsureProbeTasks(ctx, turn(failing, lap, u.standLimit), due)
	u.metrics.woken.WithLabelValues(kindFailing).Add(float64(stranded))
	return err
}

// turn returns those keys, limit at most, whose turn it is in a lap: none waits longer than it takes to see to all.
func turn(keys []task.Key, lap, limit int) []task.Key {
	turns := max(1, (len(keys)+limit-1)/limit)
	first := lap % turns * limit
	return keys[first:min(first+limit, len(keys))]
}

// look returns the next endpoints with pending deliveries: all of them, or where there are many, those after the ones looked at last.
// lap is how often it began again.
func (u *Upkeep) look(ctx context.Context) (waiting []pg.WaitingEndpoint, lap int, err error) {
	u.mu.Lock()
	after, lap := u.after, u.lap
	u.mu.Unlock()
	waiting, err = u.DB.WaitingEndpoints(ctx, after, time.Time{}, u.lookLimit)
	if err != nil {
		return nil, 0, err
	}
	next := pg.EndpointRef{}
	if len(waiting) == u.lookLimit {
		next = waiting[len(waiting)-1].EndpointRef
	}
	u.mu.Lock()
	u.after = next
	if next == (pg.EndpointRef{}) {
		u.lap++
	}
	u.mu.Unlock()
	return waiting, lap, nil
}

// enrichments wakes the workspaces that are owed enrichment.
func (u *Upkeep) enrichments(ctx context.Context) (string, error) {
	if _, err := u.DB.OweWords(ctx, oweLimit); err != nil {
		return "", err
	}
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
