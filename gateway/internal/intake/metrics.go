package intake

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	leads        *prometheus.CounterVec
	batch        prometheus.Histogram
	commit       prometheus.Histogram
	announce     prometheus.Histogram
	splits       prometheus.Counter
	withoutRedis prometheus.Counter
}

var stepTimes = []float64{.0005, .001, .002, .004, .008, .016, .032, .064, .125, .25, .5, 1, 2, 4}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		leads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadgate_intake_leads_total",
			Help: "Leads by what became of them; duplicate_fast was known to Redis, and read instead of inserted.",
		}, []string{"outcome"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leadgate_intake_batch_leads", Help: "Leads in one commit.", Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leadgate_intake_commit_seconds", Help: "Time Postgres took for one batch.", Buckets: stepTimes,
		}),
		announce: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leadgate_intake_announce_seconds",
			Help: "Time Redis took to mark one batch's reservations and wake the workers.", Buckets: stepTimes,
		}),
		splits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leadgate_intake_splits_total",
			Help: "Batches that were split because another transaction had one of their emails.",
		}),
		withoutRedis: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leadgate_intake_without_redis_total", Help: "Requests decided without Redis.",
		}),
	}
	m.leads.WithLabelValues("queue_full") // there from the start, so that a rate sees the first
	r.MustRegister(m.leads, m.batch, m.commit, m.announce, m.splits, m.withoutRedis)
	return m
}

// watch adds the gauges that read the service.
func (m metrics) watch(r prometheus.Registerer, s *Service) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "leadgate_intake_waiting", Help: "Leads waiting for a commit.",
	}, func() float64 { return float64(s.commits.Waiting()) }))
}

func (m metrics) count(outcome string) { m.leads.WithLabelValues(outcome).Inc() }
