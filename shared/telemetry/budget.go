package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"leadgate/shared/limit"
)

// RegisterBudget publishes how a process's memory budget is used.
func RegisterBudget(r prometheus.Registerer, usage func() limit.Usage) {
	gauge := func(name, help string, value func(limit.Usage) int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value(usage())) })
	}
	r.MustRegister(
		gauge("leadgate_memory_budget_bytes", "Bytes that may be held for all workspaces together.",
			func(u limit.Usage) int64 { return u.Total }),
		gauge("leadgate_memory_used_bytes", "Bytes of the memory budget that are in use.",
			func(u limit.Usage) int64 { return u.Used }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "leadgate_memory_short_total",
			Help: "How often the memory budget had less than was asked for."},
			func() float64 { return float64(usage().Short) }),
	)
}
