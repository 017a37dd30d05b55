package intake

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	leads        *prometheus.CounterVec
	batch        prometheus.Histogram
	withoutRedis prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		leads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadgate_intake_leads_total",
			Help: "Leads by what became of them; duplicate_fast was decided by Redis alone.",
		}, []string{"outcome"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leadgate_intake_batch_leads", Help: "Leads in one commit.", Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		withoutRedis: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leadgate_intake_without_redis_total", Help: "Requests decided without Redis.",
		}),
	}
	r.MustRegister(m.leads, m.batch, m.withoutRedis)
	return m
}

// watch adds the gauges that read the service.
func (m metrics) watch(r prometheus.Registerer, s *Service) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "leadgate_intake_waiting", Help: "Leads waiting for a commit.",
	}, func() float64 { return float64(s.commits.Waiting()) }))
}

func (m metrics) count(outcome string) { m.leads.WithLabelValues(outcome).Inc() }
