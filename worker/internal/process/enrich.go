package process

import (
	"context"
	"fmt"

	"leadgate/shared/pg"
	"leadgate/shared/task"
)

// enrichment finds facts about the leads of a workspace that wait for them, and wakes the endpoints that want to know.
type enrichment struct {
	key            task.Key
	read, enriched int // leads
}

func (p *Processor) newEnrichment(key task.Key) work { return &enrichment{key: key} }

func (j *enrichment) batch(r *run) (more bool, err error) {
	out, err := r.DB.Enrich(r.abort, j.key.Workspace, enrichLimit, r.Find)
	if err != nil {
		return false, err
	}
	enriched := max(0, out.Done-out.Missed) // a lead that was missed is looked at again
	j.read, j.enriched = j.read+out.Taken-out.Missed, j.enriched+enriched
	r.metrics.enriched.Add(float64(enriched))
	r.wakeDrains(out.Wake)
	if out.Missed > 0 && (!out.More || out.Missed == out.Taken) {
		r.resumeAt = r.Now().Add(pg.LookAgain)
		return false, nil
	}
	return out.More, nil
}

func (j *enrichment) release()                     {}
func (j *enrichment) finish(context.Context) error { return nil }

func (j *enrichment) report() string {
	text := fmt.Sprintf("enriched %d", j.enriched)
	if j.read > j.enriched {
		text += fmt.Sprintf(", failed %d", j.read-j.enriched)
	}
	return text
}
