package webhook_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"leadgate/shared/webhook"
)

// randomTimes are n times between a millisecond and days, from a seed: most are like each other, some are not.
func randomTimes(random *rand.Rand, n int) (all []time.Duration) {
	middle, spread := random.Float64()*18, 0.1+random.Float64()*4
	for range n {
		ms := math.Exp(middle + random.NormFloat64()*spread)
		all = append(all, time.Duration(min(ms, 3e8)*float64(time.Millisecond)))
	}
	return all
}

func timesOf(all []time.Duration) webhook.Times {
	t := webhook.Times{}
	for _, d := range all {
		t[webhook.TimesBucket(d)]++
	}
	return t
}

// Whatever the times, a percentile is at most 10 % from the exact one, and rounded.
func TestPercentilesAreNear(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 0))
		exact := randomTimes(random, 1+random.IntN(3000))
		times := timesOf(exact)
		slices.Sort(exact)
		for _, p := range []float64{1, 50, 95, 99, 100} {
			want := float64(exact[int(math.Ceil(p/100*float64(len(exact))))-1]) / float64(time.Millisecond)
			got, ok := times.Percentile(p)
			if off := math.Abs(float64(got) - want); !ok || off > max(1, want/10+0.5) {
				t.Fatalf("seed %d: percentile %v of %d times = %d ms, %t, want %.3f ms", seed, p, len(exact), got, ok, want)
			}
		}
	}
	if got, ok := (webhook.Times{}).Percentile(95); ok {
		t.Errorf("percentile of nothing = %d, want none", got)
	}
}

// slower are n times of which so many percent took 8 s, and the others 2 s.
func slower(n, percent int) webhook.Times {
	slow := n * percent / 100
	return webhook.Times{webhook.TimesBucket(8 * time.Second): slow, webhook.TimesBucket(2 * time.Second): n - slow}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	const target = 5000
	none := webhook.Times{}
	for name, c := range map[string]struct {
		window     webhook.SpeedWindow
		slow, fast bool
	}{
		"nothing arrived":                      {webhook.SpeedWindow{}, false, false},
		"too few to say":                       {webhook.SpeedWindow{Last: none, Current: slower(19, 100)}, false, false},
		"enough in both hours":                 {webhook.SpeedWindow{Last: slower(10, 100), Current: slower(10, 100)}, true, false},
		"one in ten in this hour":              {webhook.SpeedWindow{Last: none, Current: slower(100, 10)}, true, false},
		"four in a hundred":                    {webhook.SpeedWindow{Last: slower(100, 4), Current: none}, false, true},
		"fast lately, but not in a whole hour": {webhook.SpeedWindow{Last: slower(100, 10), Current: slower(1000, 0)}, false, false},
		"slow again, for few":                  {webhook.SpeedWindow{Last: slower(1000, 0), Current: slower(3, 100)}, false, false},
		"fast for few":                         {webhook.SpeedWindow{Last: slower(1, 0), Current: none}, false, true},
	} {
		ms, slow := c.window.Slow(target)
		if slow != c.slow || slow && ms <= target {
			t.Errorf("%s: Slow() = %d, %t, want %t", name, ms, slow, c.slow)
		}
		if got := c.window.Fast(target); got != c.fast {
			t.Errorf("%s: Fast() = %t, want %t", name, got, c.fast)
		}
	}
}
