package process

import (
	"github.com/prometheus/client_golang/prometheus"

	"leadgate/shared/webhook"
)

type metrics struct {
	deliveries *prometheus.CounterVec
	errors     *prometheus.CounterVec
	attempt    prometheus.Histogram
	delay      prometheus.Histogram
	enriched   prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leadgate_deliveries_total",
			Help: "Attempts by what they came to."}, []string{"outcome"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leadgate_attempt_errors_total",
			Help: "Failed attempts by class of error."}, []string{"class"}),
		attempt: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "leadgate_attempt_seconds",
			Help:    "Duration of one attempt.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15}}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "leadgate_delivery_delay_seconds",
			Help:    "From an event to the first attempt at its delivery.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 1800}}),
		enriched: prometheus.NewCounter(prometheus.CounterOpts{Name: "leadgate_enriched_total", Help: "Leads enriched."}),
	}
	r.MustRegister(m.deliveries, m.errors, m.attempt, m.delay, m.enriched)
	return m
}

// outcomeOf names an outcome for the label: an attempt delivered, failed and will be repeated, or was the last.
func outcomeOf(s webhook.State) string {
	if s == webhook.Pending {
		return "failed"
	}
	return string(s)
}

func (m *metrics) attempted(j *webhook.DueDelivery, o *webhook.Outcome) {
	m.deliveries.WithLabelValues(outcomeOf(o.State)).Inc()
	if o.Attempt.InBatch.Index <= 1 { // one request
		m.attempt.Observe(o.Attempt.Latency.Seconds())
	}
	if class := webhook.ClassOf(o.Attempt.Error); class != "" {
		m.errors.WithLabelValues(string(class)).Inc()
	}
	if j.Attempts == 0 {
		m.delay.Observe(max(0, o.Attempt.At.Sub(j.EventAt)).Seconds())
	}
}
