package process

import (
	"context"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// replayRest is how long a replay waits for its rate before it looks whether it was cancelled.
const replayRest = time.Second

// Replay sends anew what a replay is about, in rounds at its rate, and wakes the endpoints that get it.
func (p *Processor) Replay(ctx context.Context, t *asynq.Task) error {
	key, err := task.ParseKey(t.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	resent := 0
	how, err := p.turn(ctx, key, t.ResultWriter().TaskID(), work{round: func(t *turn) (bool, error) {
		out, err := p.DB.RunReplay(t.sending, key.Workspace, key.Replay, webhook.MaxReplayRate)
		if err != nil {
			return false, err
		}
		resent += out.Resent
		t.lost("wake drains", p.Waker.Wake(t.sending, Drains(out.Wake)))
		if out.Wait > 0 {
			select {
			case <-time.After(min(out.Wait, replayRest)):
			case <-t.taking.Done():
			}
		}
		return !out.Done, nil
	}})
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	text := fmt.Sprintf("replay %s: resent %d", id.Replay.Format(key.Replay), resent)
	switch how {
	case elsewhere:
		text = fmt.Sprintf("replay %s: another task has it", id.Replay.Format(key.Replay))
	case yielded:
		text += ", more next turn"
	}
	t.ResultWriter().Write([]byte(text)) // only to be read by people
	return nil
}
