package process

import (
	"context"
	"fmt"
	"time"

	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// replayPause is how long a replay waits for its rate before it checks whether it was cancelled.
const replayPause = time.Second

// replay sends again what a replay matches, in batches at its rate, and wakes the endpoints that get it.
type replay struct {
	key    task.Key
	resent int
}

func (p *Processor) newReplay(key task.Key) work { return &replay{key: key} }

func (j *replay) batch(r *run) (more bool, err error) {
	out, err := r.DB.RunReplay(r.abort, j.key.Workspace, j.key.Replay, webhook.MaxReplayRate)
	if err != nil {
		return false, err
	}
	j.resent += out.Resent
	r.wakeDrains(out.Wake)
	if out.Wait > 0 {
		select {
		case <-time.After(min(out.Wait, replayPause)):
		case <-r.accepting.Done():
		}
	}
	return !out.Done, nil
}

func (j *replay) release()                     {}
func (j *replay) finish(context.Context) error { return nil }
func (j *replay) report() string               { return fmt.Sprintf("resent %d", j.resent) }
