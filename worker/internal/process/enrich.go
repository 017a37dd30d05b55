package process

import (
	"context"
	"fmt"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
)

// Enrich finds facts about the leads a workspace is owed them for, and wakes the endpoints that want to know.
func (p *Processor) Enrich(ctx context.Context, t *asynq.Task) error {
	key, err := task.ParseKey(t.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	var taken, enriched int
	how, err := p.turn(ctx, key, t.ResultWriter().TaskID(), work{round: func(t *turn) (bool, error) {
		out, err := p.DB.Enrich(t.sending, key.Workspace, enrichLimit, p.Find)
		if err != nil {
			return false, err
		}
		taken, enriched = taken+out.Taken, enriched+out.Done
		p.metrics.enriched.Add(float64(out.Done))
		t.lost("wake drains", p.Waker.Wake(t.sending, Drains(out.Wake)))
		return out.Taken == enrichLimit, nil
	}})
	if err != nil {
		return fmt.Errorf("enrich %s: %w", key, err)
	}
	text := fmt.Sprintf("leads of %s: enriched %d", id.Workspace.Format(key.Workspace), enriched)
	switch {
	case how == elsewhere:
		text = fmt.Sprintf("leads of %s: another task has them", id.Workspace.Format(key.Workspace))
	case how == yielded:
		text += ", more next turn"
	case taken > enriched:
		text += fmt.Sprintf(", failed %d", taken-enriched)
	}
	t.ResultWriter().Write([]byte(text)) // only to be read by people
	return nil
}

// Drains names the wake-ups of endpoints.
func Drains(refs []pg.EndpointRef) []task.Key {
	keys := make([]task.Key, len(refs))
	for i, r := range refs {
		keys[i] = task.Drain(r.Workspace, r.Endpoint)
	}
	return keys
}
