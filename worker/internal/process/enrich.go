package process

import (
	"context"
	"fmt"

	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

// enrichment finds facts about the leads of a workspace that wait for them, and wakes the endpoints that want to know.
type enrichment struct {
	key            task.Key
	settings       *tenant.Settings // of the workspace, as the task began
	read, enriched int              // leads
}

func (p *Processor) newEnrichment(key task.Key) work { return &enrichment{key: key} }

func (j *enrichment) batch(r *run) (more bool, err error) {
	if j.settings == nil {
		w, err := r.DB.GetWorkspace(r.abort, j.key.Workspace)
		if err != nil {
			return false, err
		}
		j.settings = &w.Settings
	}
	find := func(ctx context.Context, leads []lead.Lead) []pg.Finding { return r.Find(ctx, *j.settings, leads) }
	out, err := r.DB.Enrich(r.abort, j.key.Workspace, enrichLimit, find)
	if err != nil {
		return false, err
	}
	j.read, j.enriched = j.read+out.Taken, j.enriched+out.Done
	r.metrics.enriched.Add(float64(out.Done))
	r.wakeDrains(out.Wake)
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
