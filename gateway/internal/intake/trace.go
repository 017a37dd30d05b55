package intake

import (
	"time"

	"leadgate/shared/trace"
)

// traceCommit tells of a commit of n leads or submissions in the trace of each request that has some in it, which
// spanOf returns. Those of one request stand together.
func traceCommit(n int, spanOf func(int) *trace.Span, from time.Time, err error) {
	for i := range n {
		span := spanOf(i)
		if !span.Recording() || i > 0 && span == spanOf(i-1) {
			continue
		}
		failure := ""
		if err != nil {
			failure = "refused"
		}
		span.Record("commit", trace.Client, from, failure, trace.String(trace.System, "postgresql"),
			trace.Int(trace.BatchSize, n))
	}
}
