package main

import "math"

// load is what a system is asked for each second.
type load struct{ leads, deliveries float64 }

// batching is how long a lead and a delivery wait for the others that they share work with, in seconds.
type batching struct{ leads, deliveries float64 }

// features are what the use of a resource grows with: being there, leads, deliveries, and for each of these how often
// there is something to do at all. That grows like the rate while things come one at a time, and hardly any more once
// they come together.
func (l load) features(w batching) [5]float64 {
	occasions := func(perSecond, wait float64) float64 { return perSecond / (1 + perSecond*wait) }
	return [5]float64{1, l.leads, l.deliveries, occasions(l.leads, w.leads), occasions(l.deliveries, w.deliveries)}
}

// sample is what was used of one resource each second under a load.
type sample struct {
	load
	used float64
}

// model predicts how much of one resource a load uses.
type model struct {
	batching batching
	weights  [5]float64 // of the features
}

func (m model) predict(l load) (used float64) {
	for i, f := range l.features(m.batching) {
		used += m.weights[i] * f
	}
	return used
}

// waits are those that are tried.
var waits = []float64{.002, .005, .01, .02, .05, .1, .2}

// fitModel returns the model that is least off, relative to what was used.
func fitModel(samples []sample) (best model) {
	least := math.Inf(1)
	for _, leads := range waits {
		for _, deliveries := range waits {
			m := model{batching: batching{leads, deliveries}}
			if off := m.fit(samples); off < least {
				best, least = m, off
			}
		}
	}
	return best
}

// fit finds the weights for which the squares of the relative errors are least, one weight after the other, again and
// again. Nothing costs less than nothing.
func (m *model) fit(samples []sample) (off float64) {
	const rounds = 20_000
	for range rounds {
		for i := range m.weights {
			var up, down float64
			for _, s := range samples {
				f := s.features(m.batching)
				up += f[i] * (s.used - m.predict(s.load)) / (s.used * s.used)
				down += f[i] * f[i] / (s.used * s.used)
			}
			if down > 0 {
				m.weights[i] = max(0, m.weights[i]+up/down)
			}
		}
	}
	for _, s := range samples {
		e := (m.predict(s.load) - s.used) / s.used
		off += e * e
	}
	return off
}
