package process

import (
	"context"
	"fmt"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
)

// Of enrichment in all workspaces.
const (
	dueWorkspaces = 100                    // in one look
	dueLeads      = 2 * enrichLimit        // in one batch, about
	gather        = 100 * time.Millisecond // how long the next leads are waited for, so that they need no task of their own
	handedOver    = time.Second            // how long a workspace that had many leads waiting is left to its own task
)

// enriched is what a run did.
type enriched struct{ read, found int } // leads

func (e *enriched) batch(r *run, workspaces []id.UUID) (pg.Enriched, error) {
	out, err := r.DB.Enrich(r.abort, workspaces, enrichLimit, r.Find)
	if err != nil {
		return out, err
	}
	found := max(0, out.Done-out.Missed) // a lead that was missed is looked at again
	e.read, e.found = e.read+out.Taken-out.Missed, e.found+found
	r.metrics.enriched.Add(float64(found))
	r.wakeDrains(out.Wake)
	return out, nil
}

func (e *enriched) release()                     {}
func (e *enriched) finish(context.Context) error { return nil }

func (e *enriched) report() string {
	text := fmt.Sprintf("enriched %d", e.found)
	if e.read > e.found {
		text += fmt.Sprintf(", failed %d", e.read-e.found)
	}
	return text
}

// enrichment finds facts about the leads of one workspace that wait for them, and wakes the endpoints that want to
// know.
type enrichment struct {
	enriched
	workspace id.UUID
}

func (p *Processor) newEnrichment(key task.Key) work { return &enrichment{workspace: key.Workspace} }

func (j *enrichment) batch(r *run) (more bool, err error) {
	out, err := j.enriched.batch(r, []id.UUID{j.workspace})
	if err != nil {
		return false, err
	}
	if out.Missed > 0 && (!out.More || out.Missed == out.Taken) {
		r.resumeAt = r.Now().Add(pg.LookAgain)
		return false, nil
	}
	return out.More, nil
}

// dueEnrichment enriches the leads of all workspaces in which few wait, many workspaces in one batch, and wakes the
// enrichment of each of the others. Where leads come one at a time they cost no task each: a run that has found some
// waits a little for the next before it ends.
type dueEnrichment struct {
	enriched
	after id.UUID               // the last workspace that was looked at; zero: begin with the first
	busy  map[id.UUID]time.Time // workspaces that are left to their own tasks, until when
}

func (p *Processor) newDueEnrichment(task.Key) work {
	return &dueEnrichment{busy: map[id.UUID]time.Time{}}
}

func (j *dueEnrichment) batch(r *run) (more bool, err error) {
	due, err := r.DB.DueEnrichments(r.abort, j.after, dueWorkspaces, enrichLimit)
	if err != nil {
		return false, err
	}
	few, many, rest := j.divide(due, r.Now())
	j.after = id.UUID{}
	if n := len(due); rest > 0 || n == dueWorkspaces {
		j.after, more = due[n-rest-1].Workspace, true
	}
	if len(many) > 0 {
		_, err := r.Waker.Repair(r.abort, many) // a task may have been lost with a Redis or a worker
		r.logWake(r.key, "wake enrichments", err)
	}
	var out pg.Enriched
	if len(few) > 0 {
		if out, err = j.enriched.batch(r, few); err != nil {
			return false, err
		}
	}
	switch {
	case out.Missed > 0:
		r.pause(pg.LookAgain)
		return true, nil
	case !more && len(due) > 0:
		r.pause(gather)
	}
	return more || out.More, nil
}

// divide takes workspaces from the first on until they have dueLeads, and parts those with few from those with many
// leads waiting. rest is how many are left.
func (j *dueEnrichment) divide(due []pg.DueEnrichment, now time.Time) (few []id.UUID, many []task.Key, rest int) {
	leads := 0
	for i, w := range due {
		if leads >= dueLeads {
			return few, many, len(due) - i
		}
		if w.Leads > enrichLimit {
			j.busy[w.Workspace] = now.Add(handedOver)
		}
		if until, busy := j.busy[w.Workspace]; busy && now.Before(until) {
			many = append(many, task.Enrich(w.Workspace))
			continue
		}
		delete(j.busy, w.Workspace)
		few = append(few, w.Workspace)
		leads += w.Leads
	}
	return few, many, 0
}
