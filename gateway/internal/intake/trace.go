package intake

import (
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/trace"
)

// traceCommit tells of a commit in the trace of each request that has leads in it. Leads of one request stand together.
func traceCommit(leads []pg.NewLead, from time.Time, err error) {
	for i := range leads {
		span := leads[i].Trace
		if !span.Recording() || i > 0 && span == leads[i-1].Trace {
			continue
		}
		failure := ""
		if err != nil {
			failure = "refused"
		}
		span.Record("commit", trace.Client, from, failure, trace.String(trace.System, "postgresql"),
			trace.Int(trace.BatchSize, len(leads)))
	}
}
