// Package trace follows a request through processes (W3C Trace Context): what came with it, what of it is kept with an
// event, and spans of what was done for it.
package trace

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Attr is a fact about a span. It has no personal data and no secret.
type Attr = attribute.KeyValue

// String is an Attr that is text.
func String(key, value string) Attr { return attribute.String(key, value) }

// Int is an Attr that is a number.
func Int(key string, value int) Attr { return attribute.Int(key, value) }

// Names of attributes.
const (
	WorkspaceID = "leadgate.workspace.id"
	LeadID      = "leadgate.lead.id"
	ImportID    = "leadgate.import.id"
	EndpointID  = "leadgate.endpoint.id"
	DeliveryID  = "leadgate.delivery.id"
	EventType   = "leadgate.event.type"
	Attempt     = "leadgate.attempt.number"
	BatchSize   = "leadgate.batch.size"
	System      = "db.system.name"
	Method      = "http.request.method"
	Route       = "http.route"
	Status      = "http.response.status_code"
	Host        = "server.address"
)

// Kind says on which side of a call a span is.
type Kind = trace.SpanKind

// The kinds.
const (
	Server   Kind = trace.SpanKindServer
	Client   Kind = trace.SpanKindClient
	Consumer Kind = trace.SpanKindConsumer
)

// Tracer makes spans that are exported. A nil Tracer makes none: what came with a request is passed on as it came.
type Tracer struct{ to trace.Tracer }

// New returns a Tracer whose spans go where those of to go.
func New(to trace.Tracer) *Tracer { return &Tracer{to} }

// Span is something that was done, or a request that others trace and we do not. Its methods take nil, which is no
// trace, and do nothing then.
type Span struct {
	context trace.SpanContext // what is passed on
	span    trace.Span        // nil: we record nothing
	tracer  *Tracer
	began   bool // the trace begins with it
}

// maxState is how much of a tracestate is passed on; a longer one is left out, as the standard lets us.
const maxState = 512

// maxParent is how long a traceparent of a later version may be.
const maxParent = 128

// Serve begins the span of a request that came with h. It is nil where no trace came and none is exported. What came
// and is not valid counts as nothing.
func (t *Tracer) Serve(h http.Header, name string) *Span {
	parents := h["Traceparent"]
	if t == nil && len(parents) == 0 {
		return nil
	}
	var came trace.SpanContext
	if len(parents) == 1 {
		came = parse(parents[0], strings.Join(h["Tracestate"], ","))
	}
	return t.begin(came, name, Server)
}

// Continue begins a span in the trace that kept names, which Text has returned, and links it to those of others; nil
// where kept is "".
func (t *Tracer) Continue(kept, name string, kind Kind, others ...string) *Span {
	came := read(kept)
	if !came.IsValid() {
		return nil
	}
	var links []trace.Link
	for _, other := range others {
		if c := read(other); t != nil && c.IsValid() && !c.Equal(came) {
			links = append(links, trace.Link{SpanContext: c})
		}
	}
	return t.begin(came, name, kind, trace.WithLinks(links...))
}

func (t *Tracer) begin(came trace.SpanContext, name string, kind Kind, options ...trace.SpanStartOption) *Span {
	if t == nil {
		if !came.IsValid() {
			return nil
		}
		return &Span{context: came}
	}
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), came)
	_, span := t.to.Start(ctx, name, append(options, trace.WithSpanKind(kind))...)
	return &Span{context: span.SpanContext(), span: span, tracer: t, began: !came.IsValid()}
}

// Recording reports whether what is told of the span is exported. Ask before you make attributes: they cost memory.
func (s *Span) Recording() bool { return s != nil && s.span != nil && s.span.IsRecording() }

// Name gives the span another name.
func (s *Span) Name(name string) {
	if s.Recording() {
		s.span.SetName(name)
	}
}

// Add adds facts.
func (s *Span) Add(facts ...Attr) {
	if s.Recording() {
		s.span.SetAttributes(facts...)
	}
}

// End ends the span. failure is what kind of failure it is; "": none. It is no message, which may quote a lead.
func (s *Span) End(failure string) {
	if s.Recording() {
		end(s.span, failure)
	}
}

func end(span trace.Span, failure string, options ...trace.SpanEndOption) {
	if failure != "" {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attribute.String("error.type", failure))
	}
	span.End(options...)
}

// Record adds a part of s that is over.
func (s *Span) Record(name string, kind Kind, from time.Time, failure string, facts ...Attr) {
	if !s.Recording() {
		return
	}
	ctx := trace.ContextWithSpan(context.Background(), s.span)
	_, part := s.tracer.to.Start(ctx, name, trace.WithTimestamp(from), trace.WithSpanKind(kind), trace.WithAttributes(facts...))
	end(part, failure)
}

// TraceID returns the id of the trace; "": there is none.
func (s *Span) TraceID() string {
	if s == nil {
		return ""
	}
	return s.context.TraceID().String()
}

// Now is when a part of the span begins that Record tells of; zero where nobody is told.
func (s *Span) Now() time.Time {
	if !s.Recording() {
		return time.Time{}
	}
	return time.Now()
}

// Exemplar returns the id of the trace where it can be looked up; else "".
func (s *Span) Exemplar() string {
	if !s.Recording() || !s.context.IsSampled() {
		return ""
	}
	return s.context.TraceID().String()
}

type spanKey struct{}

// With returns ctx with s.
func With(ctx context.Context, s *Span) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, spanKey{}, s)
}

// From returns the span of ctx; nil: there is none.
func From(ctx context.Context) *Span {
	s, _ := ctx.Value(spanKey{}).(*Span)
	return s
}

var w3c propagation.TraceContext

// parse reads the two headers; what is not valid is the zero value.
func parse(parent, state string) trace.SpanContext {
	if len(parent) > maxParent {
		return trace.SpanContext{}
	}
	carrier := propagation.MapCarrier{"traceparent": parent}
	if len(state) <= maxState {
		carrier["tracestate"] = state
	}
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), carrier))
}
