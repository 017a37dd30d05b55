package trace

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Kept reports whether there is something of the trace to be kept. That a caller has its trace not sampled is kept too,
// so that receivers do as it does; that we have not sampled one of our own is not.
func (s *Span) Kept() bool { return s != nil && (!s.began || s.context.IsSampled()) }

// Text is what is kept of the trace with an event: its traceparent and, after a space, its tracestate; "" where nothing
// is to be kept.
func (s *Span) Text() string {
	if !s.Kept() {
		return ""
	}
	parent, state := s.headers()
	if state == "" {
		return parent
	}
	return parent + " " + state
}

// SetHeader adds the trace to a request, unless its header has one.
func (s *Span) SetHeader(h http.Header) {
	if s == nil || h.Get("Traceparent") != "" {
		return
	}
	parent, state := s.headers()
	h.Set("Traceparent", parent)
	if state != "" {
		h.Set("Tracestate", state)
	}
}

func (s *Span) headers() (parent, state string) {
	carrier := propagation.MapCarrier{}
	w3c.Inject(trace.ContextWithSpanContext(context.Background(), s.context), carrier)
	return carrier["traceparent"], carrier["tracestate"]
}

func read(kept string) trace.SpanContext {
	if kept == "" {
		return trace.SpanContext{}
	}
	parent, state, _ := strings.Cut(kept, " ")
	return parse(parent, state)
}

// ID returns the id of the trace that kept names; "": it names none.
func ID(kept string) string {
	if c := read(kept); c.IsValid() {
		return c.TraceID().String()
	}
	return ""
}
