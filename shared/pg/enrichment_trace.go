package pg

import (
	"leadgate/shared/id"
	"leadgate/shared/trace"
)

// traces are what is kept with the events of a batch: each is a part of its lead's enrichment.
func (b *enrichBatch) traces() []byte {
	c := newColumn(longs, len(b.leads))
	for i := range b.leads {
		c.optionalString(b.leads[i].span.Text())
	}
	return c.done()
}

// endSpans ends the spans of a batch, which were begun when its leads were read.
func (b *enrichBatch) endSpans(err error) {
	failure := ""
	if err != nil {
		failure = "store"
	}
	for i := range b.leads {
		if l := &b.leads[i]; l.span.Recording() {
			l.span.Add(trace.String(trace.WorkspaceID, id.Workspace.Format(l.WorkspaceID)),
				trace.String(trace.LeadID, id.Lead.Format(l.ID)), trace.Int(trace.BatchSize, len(b.leads)))
			l.span.End(failure)
		}
	}
}
