package trace_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/trace"
)

const (
	parent  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceID = "0af7651916cd43dd8448eb211c80319c"
)

// What is kept comes out again as it came, in at most so many bytes, and only if it is valid.
func TestKept(t *testing.T) {
	t.Parallel()
	var off *trace.Tracer
	for name, test := range map[string]struct{ parent, state, kept string }{
		"a parent":             {parent, "", parent},
		"with its state":       {parent, "a=b,c=d", parent + " a=b,c=d"},
		"with a state in full": {parent, "a=" + strings.Repeat("b", 256) + ",c=" + strings.Repeat("d", 251), parent + " a=" + strings.Repeat("b", 256) + ",c=" + strings.Repeat("d", 251)},
		"with one that is too long": {parent, "a=" + strings.Repeat("b", 256) + ",c=" + strings.Repeat("d", 252),
			parent},
		"with 100 KB":         {parent, strings.Repeat("a=b,", 25_000), parent},
		"of 100 KB":           {"01" + parent[2:] + "-" + strings.Repeat("a", 100_000), "", ""},
		"with a broken state": {parent, "a", parent},
		"a flag that is none": {parent[:53] + "ff", "", ""},
		"zeros":               {strings.Repeat("0", 55), "", ""},
		"a line break":        {parent[:54] + "\n", "", ""},
		"a NUL in the state":  {parent, "a=\x00", parent},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{"Traceparent": {test.parent}, "Tracestate": {test.state}}
			s := off.Serve(h, "POST")
			if got := s.Text(); got != test.kept {
				t.Fatalf("Text() = %q, want %q", got, test.kept)
			}
			if len(s.Text()) > 568 {
				t.Errorf("Text() has %d bytes, want at most 568", len(s.Text()))
			}
			again := off.Continue(s.Text(), "deliver", trace.Client)
			out := http.Header{}
			again.SetHeader(out)
			if got := strings.TrimSpace(out.Get("Traceparent") + " " + out.Get("Tracestate")); got != test.kept {
				t.Errorf("sent on = %q, want %q", got, test.kept)
			}
		})
	}
	if got := trace.ID(parent + " a=b"); got != traceID {
		t.Errorf("ID() = %q, want %q", got, traceID)
	}
	if got := trace.ID("what somebody wrote into the row"); got != "" {
		t.Errorf("ID() of no trace = %q, want none", got)
	}
}

// An endpoint's own header is its owner's to set.
func TestOwnHeaderStays(t *testing.T) {
	t.Parallel()
	var off *trace.Tracer
	h := http.Header{"Traceparent": {"theirs"}}
	off.Continue(parent, "deliver", trace.Client).SetHeader(h)
	if got := h.Get("Traceparent"); got != "theirs" {
		t.Errorf("traceparent = %q, want the one that is there", got)
	}
}

// A request that nobody traces, where nothing is exported, costs no allocation at all.
func TestNoTraceCostsNothing(t *testing.T) {
	var off *trace.Tracer
	h, ctx := http.Header{"Content-Type": {"application/json"}}, context.Background()
	if n := testing.AllocsPerRun(1000, func() { everyStep(ctx, off, h) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// everyStep is what the way of a lead asks of this package.
func everyStep(ctx context.Context, off *trace.Tracer, h http.Header) {
	s := off.Serve(h, "POST")
	ctx = trace.With(ctx, s)
	from := trace.From(ctx)
	if from.Recording() || from.Kept() || !from.Now().IsZero() || from.Exemplar() != "" || from.TraceID() != "" {
		panic("a trace where none is")
	}
	if d := off.Continue(from.Text(), "deliver", trace.Client); d != nil {
		panic("a trace where none is")
	}
	trace.From(ctx).SetHeader(h)
}

func BenchmarkNoTrace(b *testing.B) {
	var off *trace.Tracer
	h, ctx := http.Header{"Content-Type": {"application/json"}}, context.Background()
	b.ReportAllocs()
	for b.Loop() {
		everyStep(ctx, off, h)
	}
}
