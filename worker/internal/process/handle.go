package process

import (
	"context"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"

	"leadgate/shared/task"
)

// handle returns the handler of one type of task. The payload is read here and nowhere else; one that cannot be read is
// never retried. The report becomes the task's result.
func (p *Processor) handle(name string, do func(context.Context, task.Key, string) (report string,
	err error)) asynq.HandlerFunc {
	return func(ctx context.Context, t *asynq.Task) error {
		key, err := task.ParseKey(t.Payload())
		if err != nil {
			return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
		}
		report, err := do(ctx, key, t.ResultWriter().TaskID())
		if report != "" {
			t.ResultWriter().Write([]byte(report)) // a task without its result has done its work all the same
		}
		var failing *failingError
		if err == nil || errors.As(err, &failing) {
			return err
		}
		return fmt.Errorf("%s %s: %w", name, key, err)
	}
}

// handleRun is handle for work that is done in batches; newWork returns the work of one task.
func (p *Processor) handleRun(name string, newWork func(task.Key) work) asynq.HandlerFunc {
	return p.handle(name, func(ctx context.Context, key task.Key, taskID string) (string, error) {
		w := newWork(key)
		end, err := p.run(ctx, key, taskID, w)
		if err != nil {
			return "", err
		}
		if err := w.finish(ctx); err != nil {
			return "", err
		}
		switch end {
		case busy:
			return key.Subject() + ": another task works on it", nil
		case requeued:
			return key.Subject() + ": " + w.report() + ", more in the next run", nil
		}
		return key.Subject() + ": " + w.report(), nil
	})
}

// closing returns a context for the last calls to a store. It outlives ctx, which may have ended.
func closing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), closingTime)
}
