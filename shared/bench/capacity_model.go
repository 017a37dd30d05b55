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
// again. Nothing costs less than nothing. It returns the sum of these squares.
func (m *model) fit(samples []sample) (off float64) {
	const rounds = 20_000
	shares := make([][5]float64, len(samples)) // of a feature in what was used, for each unit of its weight
	missing := make([]float64, len(samples))   // the relative errors
	var squares [5]float64
	for n, s := range samples {
		missing[n] = 1
		for i, f := range s.features(m.batching) {
			shares[n][i] = f / s.used
			squares[i] += shares[n][i] * shares[n][i]
		}
	}
	for range rounds {
		for i, w := range m.weights {
			if squares[i] == 0 {
				continue
			}
			up := 0.0
			for n := range shares {
				up += shares[n][i] * missing[n]
			}
			m.weights[i] = max(0, w+up/squares[i])
			for n := range shares {
				missing[n] -= shares[n][i] * (m.weights[i] - w)
			}
		}
	}
	for _, e := range missing {
		off += e * e
	}
	return off
}
