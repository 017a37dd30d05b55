// Package telemetry gives a process its log, slog JSON lines, and its one Prometheus registry.
package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Registry returns a registry with the Go and process collectors and leadgate_build_info; parts register their own
// metrics, all named leadgate_....
func Registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	process := collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
	r.MustRegister(collectors.NewGoCollector(), process, buildInfo())
	return r
}
