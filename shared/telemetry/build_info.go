package telemetry

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/shared/version"
)

// buildInfo is 1, and tells by its labels which program runs.
func buildInfo() prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "leadgate_build_info", Help: "1, labelled with the version of leadgate and of Go.",
		ConstLabels: prometheus.Labels{"version": version.String(), "go": runtime.Version()},
	})
	g.Set(1)
	return g
}
