package batch

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Recover returns do for a Batcher, whose workers have no request that would recover a panic: instead of the process,
// the batch ends, and each of its callers gets failed's result. name is what the log calls the batch.
func Recover[I, O any](log *slog.Logger, name string, do func([]I) []O, failed func(error) O) func([]I) []O {
	return func(items []I) (out []O) {
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			err := fmt.Errorf("panic: %v", reason)
			log.Error("batch panicked", "batch", name, "items", len(items), "error", err.Error(), "stack", string(debug.Stack()))
			out = make([]O, len(items))
			for i := range out {
				out[i] = failed(err)
			}
		}()
		return do(items)
	}
}
