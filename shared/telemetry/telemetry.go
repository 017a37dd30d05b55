// Package telemetry gives a process its log, slog JSON lines, and its one Prometheus registry.
package telemetry

import (
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Logger writes JSON lines at level ("debug", "info", "warn", "error") and above; service is in each.
func Logger(w io.Writer, service, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, err
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l})).With("service", service), nil
}

// Registry returns a registry with the Go and process collectors and leadgate_build_info; parts register their own
// metrics, all named leadgate_....
func Registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	r.MustRegister(collectors.NewGoCollector(), process, buildInfo())
	return r
}
