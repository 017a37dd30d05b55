package upkeep

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// kinds are what a sweep looks for: the values of a label.
const (
	kindEndpoint   = "endpoint"   // due deliveries
	kindFailing    = "failing"    // a failing endpoint
	kindEnrichment = "enrichment" // leads
	kindReplay     = "replay"     // a running replay
	kindImport     = "import"     // an unfinished import
)

type metrics struct {
	woken       *prometheus.CounterVec
	settled     prometheus.Counter
	dropped     prometheus.Counter
	kept        *atomic.Int64
	heldDropped prometheus.Counter
	purged      prometheus.Counter
	erased      prometheus.Counter
	keys        prometheus.Counter
	slow        prometheus.Counter
	retention   prometheus.Gauge
	partitions  *atomic.Pointer[time.Time] // until when rows can be written; nil: not known yet
}

func newMetrics(r prometheus.Registerer, speaks func() bool, now func() time.Time) metrics {
	m := metrics{
		partitions: new(atomic.Pointer[time.Time]),
		retention: prometheus.NewGauge(prometheus.GaugeOpts{Name: "leadgate_retention_success_timestamp_seconds",
			Help: "When this worker last dropped all weeks that are old, or found none; hourly, by one worker."}),
		woken: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leadgate_sweep_woken_total",
			Help: "Keys the sweep found with due work, nobody at it or about to be."}, []string{"kind"}),
		settled: prometheus.NewCounter(prometheus.CounterOpts{Name: "leadgate_deliveries_settled_total",
			Help: "Pending deliveries of disabled or deleted endpoints that the sweep held or cancelled."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "leadgate_partitions_dropped_total",
			Help: "Weeks of events, deliveries or attempts that were dropped because they are old."}),
		kept: &atomic.Int64{},
		heldDropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "leadgate_held_deliveries_dropped_total",
			Help: "Deliveries that were dropped with an old week, held because their endpoint was disabled until then."}),
		purged: prometheus.NewCounter(prometheus.CounterOpts{Name: "leadgate_leads_purged_total",
			Help: "Deleted leads that were erased because they can be restored no longer."}),
		erased: prometheus.NewCounter(prometheus.CounterOpts{Name: "leadgate_leads_erased_total",
			Help: "Leads with many events whose erasure was begun by a request and ended by the sweep."}),
		keys: prometheus.NewCounter(prometheus.CounterOpts{Name: "leadgate_idempotency_keys_deleted_total",
			Help: "Answers to requests with an Idempotency-Key that were kept for their day."}),
		slow: prometheus.NewCounter(prometheus.CounterOpts{Name: "leadgate_slow_endpoints_total",
			Help: "Endpoints that became slower than their workspace's target."}),
	}
	kept := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "leadgate_partitions_kept",
		Help: "Old weeks of deliveries that were not dropped because one is still pending; 0 but in one worker."},
		func() float64 {
			if speaks != nil && !speaks() {
				return 0
			}
			return float64(m.kept.Load())
		})
	ahead := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "leadgate_partitions_ahead_seconds",
		Help: "For how long from now on all that comes in has a partition, as this worker last saw it; 0: not now."},
		func() float64 {
			until := m.partitions.Load()
			if until == nil {
				return 0
			}
			return max(0, until.Sub(now()).Seconds())
		})
	r.MustRegister(m.woken, m.settled, m.dropped, kept, m.heldDropped, m.purged, m.erased, m.keys, m.slow, m.retention,
		ahead)
	for _, kind := range []string{kindEndpoint, kindFailing, kindEnrichment, kindReplay, kindImport} {
		m.woken.WithLabelValues(kind)
	}
	return m
}
