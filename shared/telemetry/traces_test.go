package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"leadgate/shared/telemetry"
	"leadgate/shared/testwait"
	"leadgate/shared/trace"
)

// Where no collector is set there is no tracer, and nothing runs for it.
func TestNoCollector(t *testing.T) {
	before := runtime.NumGoroutine()
	tracer, stop, err := telemetry.Tracer(t.Context(), slog.New(slog.DiscardHandler), telemetry.Collector{}, "test")
	if err != nil || tracer != nil {
		t.Errorf("Tracer() = %v, %v, want none", tracer, err)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines more", after-before)
	}
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCollectorURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ base, traces, want string }{
		{"", "", ""},
		{"http://collector:4318", "", "http://collector:4318/v1/traces"},
		{"https://example.com/otlp/", "", "https://example.com/otlp/v1/traces"},
		{"", "http://collector:4318/in", "http://collector:4318/in"},
		{"http://collector:4318", "https://other/in", "https://other/in"},
		{"collector:4317", "", "error"},
		{"http://u:hunter2@ /", "", "error"},
		{"grpc://collector:4317", "", "error"},
	} {
		got, err := telemetry.Collector{Base: test.base, Traces: test.traces}.URL()
		if err != nil {
			if got = "error"; strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has a password: %v", err)
			}
		}
		if got != test.want {
			t.Errorf("URL of %q and %q = %q, %v, want %q", test.base, test.traces, got, err, test.want)
		}
	}
}

// A collector that hangs, refuses or is away holds nobody up: what its queue has no room for is dropped, and a stop ends
// in time.
func TestCollectorThatIsNoGood(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}))
	t.Cleanup(hangs.Close)
	t.Cleanup(func() { close(release) })
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
	}))
	t.Cleanup(refuses.Close)
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	for name, url := range map[string]string{"hangs": hangs.URL, "refuses": refuses.URL, "away": away.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tracer, stop := mustTracer(t, url)
			start := time.Now()
			for range 20_000 {
				s := tracer.Serve(http.Header{}, "POST")
				s.Record("commit", trace.Client, start, "")
				s.End("")
			}
			if took := time.Since(start); took > 30*time.Second { // it takes a tenth of a second of one core
				t.Errorf("20,000 requests took %v", took)
			}
			runtime.GC()
			var memory runtime.MemStats
			if runtime.ReadMemStats(&memory); memory.HeapAlloc > 64<<20 {
				t.Errorf("%d MiB are held", memory.HeapAlloc>>20)
			}
			start = time.Now()
			_ = stop(context.Background()) // which fails where spans are lost
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("the stop took %v, want about 2 s at most", took)
			}
		})
	}
}

func mustTracer(t *testing.T, url string) (*trace.Tracer, func(context.Context) error) {
	t.Helper()
	tracer, stop, err := telemetry.Tracer(t.Context(), slog.New(slog.DiscardHandler), telemetry.Collector{Base: url}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return tracer, stop
}

// What ended before a stop is exported by it, once; what a caller does not want to be sampled is not.
func TestStopExports(t *testing.T) {
	t.Parallel()
	var spans, linked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var got collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		for _, of := range got.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				spans.Add(int64(len(scope.Spans)))
				for _, s := range scope.Spans {
					linked.Add(int64(len(s.Links)))
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	tracer, stop := mustTracer(t, server.URL)
	for _, parent := range []string{"", parentOf("1", "01"), parentOf("2", "00"), "no parent"} {
		s := tracer.Serve(http.Header{"Traceparent": {parent}}, "POST")
		s.Record("commit", trace.Client, time.Now(), "")
		s.End("")
	}
	tracer.Continue(parentOf("3", "01"), "deliver", trace.Client, parentOf("4", "01"), parentOf("4", "00"), "", parentOf("3", "01")).End("")
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
	testwait.Until(t, "spans of three requests and a delivery", func() bool { return spans.Load() == 7 })
	if n := linked.Load(); n != 2 {
		t.Errorf("%d links, want 2", n)
	}
}

func parentOf(digit, flags string) string {
	return "00-" + strings.Repeat(digit, 32) + "-" + strings.Repeat(digit, 16) + "-" + flags
}
