package main

import (
	"math"
	"testing"
)

// What follows the model is predicted between and beyond the loads that it was fitted to.
func TestModelPredicts(t *testing.T) {
	t.Parallel()
	truth := model{batching: batching{.02, .005}, weights: [5]float64{900, 110, 60, 1400, 2500}}
	var samples []sample
	for _, l := range []load{{}, {50, 0}, {500, 0}, {4000, 0}, {8000, 0},
		{20, 20}, {300, 300}, {2400, 2400}, {5000, 5000}} {
		samples = append(samples, sample{l, truth.predict(l)})
	}
	m := fitModel(samples)
	for _, l := range []load{{200, 0}, {1600, 0}, {1000, 1000}, {100_000, 100_000}} {
		if got, want := m.predict(l), truth.predict(l); math.Abs(got/want-1) > .03 {
			t.Errorf("predicted use of %v = %.0f, want %.0f", l, got, want)
		}
	}
}
