package process

import (
	"time"

	"leadgate/shared/id"
	"leadgate/shared/trace"
	"leadgate/shared/webhook"
)

// startSpan begins the span of a request. One of several events is in the trace of the first that has one, and linked
// to those of the others.
func (p *Processor) startSpan(due []webhook.DueDelivery) *trace.Span {
	first := 0
	for first < len(due) && due[first].Trace == "" {
		first++
	}
	if first == len(due) {
		return nil
	}
	var others []string
	for i := range due[first+1:] {
		others = append(others, due[first+1+i].Trace)
	}
	return p.Tracer.Continue(due[first].Trace, "deliver "+due[first].EventType, trace.Client, others...)
}

// endSpan ends the span of a request; attempts is empty where it was broken off.
func endSpan(span *trace.Span, e *webhook.Endpoint, due []webhook.DueDelivery, attempts []webhook.Attempt) {
	if !span.Recording() {
		return
	}
	span.Add(trace.String(trace.WorkspaceID, id.Workspace.Format(e.WorkspaceID)),
		trace.String(trace.EndpointID, id.Endpoint.Format(e.ID)), trace.String(trace.Host, webhook.Host(e.URL)),
		trace.String(trace.DeliveryID, id.Delivery.Format(due[0].DeliveryID)), trace.String(trace.EventType, due[0].EventType),
		trace.Int(trace.Attempt, due[0].Attempts+1), trace.Int(trace.BatchSize, len(due)),
		trace.String(trace.Method, "POST"))
	if len(attempts) == 0 {
		span.End("aborted")
		return
	}
	if status := attempts[0].Status; status != 0 {
		span.Add(trace.Int(trace.Status, status))
	}
	var failure webhook.ErrorClass
	for i := range attempts {
		if failure == "" {
			failure = webhook.ClassOf(attempts[i].Error)
		}
	}
	span.End(string(failure))
}

// traceCommit tells of a commit of rows of an import.
func (j *importer) traceCommit(from time.Time, rows int, err error) {
	if !j.span.Recording() {
		return
	}
	failure := ""
	if err != nil {
		failure = "refused"
	}
	j.span.Record("commit", trace.Client, from, failure, trace.String(trace.System, "postgresql"),
		trace.Int(trace.BatchSize, rows))
}

// endSpan ends the span of what a run did of an import.
func (j *importer) endSpan() {
	if j.span.Recording() {
		j.span.Add(trace.String(trace.WorkspaceID, id.Workspace.Format(j.workspace)),
			trace.String(trace.ImportID, id.Import.Format(j.id)))
		j.span.End("")
	}
}
