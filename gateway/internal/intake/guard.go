package intake

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// guarded keeps a panic in do, which runs in a goroutine of its own, from ending the process: each caller of the batch gets failed's
// result. A zero result would not do, because it means "created".
func guarded[I, O any](log *slog.Logger, do func([]I) []O, failed func(error) O) func([]I) []O {
	return func(items []I) (out []O) {
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			err := fmt.Errorf("panic: %v", reason)
			log.Error("batch", "items", len(items), "error", err.Error(), "stack", string(debug.Stack()))
			out = make([]O, len(items))
			for i := range out {
				out[i] = failed(err)
			}
		}()
		return do(items)
	}
}
