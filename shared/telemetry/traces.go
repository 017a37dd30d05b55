package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"leadgate/shared/trace"
	"leadgate/shared/version"
)

// Collector is where traces are sent, as OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT have it.
type Collector struct {
	Base   string // of all signals; "": nowhere
	Traces string // instead of a path below Base
}

// URL returns where traces are posted; "": nowhere.
func (c Collector) URL() (string, error) {
	text := c.Traces
	if text == "" {
		text = c.Base
	}
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" { // the error would quote a password
		return "", errors.New("must be an http or https URL, which takes OTLP over HTTP")
	}
	if c.Traces == "" {
		u = u.JoinPath("v1", "traces")
	}
	return u.String(), nil
}

// tracesStop is how long a stop waits at most for spans that are not exported yet.
const tracesStop = 2 * time.Second

// Tracer returns what exports spans to c, as a service of this name, and what ends it; nil where c is nowhere. The rest
// is up to OpenTelemetry's own variables, which its SDK reads. Spans wait in a bounded queue, which drops those that it
// has no room for: nobody waits for a collector.
func Tracer(ctx context.Context, log *slog.Logger, c Collector, service string) (
	t *trace.Tracer, stop func(context.Context) error, err error) {
	to, err := c.URL()
	if err != nil || to == "" {
		return nil, func(context.Context) error { return nil }, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to))
	if err != nil {
		return nil, nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", service), attribute.String("service.version", version.String())),
		resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(about),
		sdktrace.WithBatcher(&loggedExporter{SpanExporter: exporter, log: log}))
	stop = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, tracesStop)
		defer cancel()
		return provider.Shutdown(ctx)
	}
	return trace.New(provider.Tracer("leadgate")), stop, nil
}

// loggedExporter logs when spans cannot be exported any more, and when they can again.
type loggedExporter struct {
	sdktrace.SpanExporter
	log    *slog.Logger
	failed atomic.Bool
}

func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if failed := err != nil; e.failed.Swap(failed) != failed {
		if failed {
			e.log.Warn("traces not exported", "error", err.Error())
		} else {
			e.log.Info("traces exported again")
		}
	}
	return nil // it is logged
}
