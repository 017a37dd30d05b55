package limit_test

import (
	"fmt"
	"testing"
	"time"

	"leadgate/shared/limit"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestDecideBurst(t *testing.T) {
	t.Parallel()
	rate := limit.NewRate(10, time.Second, 5)
	var tat time.Time
	var d limit.Decision
	for i := range 5 {
		d, tat = rate.Decide(tat, noon)
		want := limit.Decision{Remaining: 4 - i, Reset: time.Duration(i+1) * 100 * time.Millisecond}
		if d != want {
			t.Errorf("request %d: Decide() = %+v, want %+v", i+1, d, want)
		}
	}
	full := tat
	d, tat = rate.Decide(tat, noon)
	want := limit.Decision{Limited: true, RetryAfter: 100 * time.Millisecond, Reset: 500 * time.Millisecond}
	if d != want || tat != full {
		t.Errorf("request 6: Decide() = %+v, want %+v, and nothing spent", d, want)
	}
	if d, _ = rate.Decide(tat, noon.Add(d.RetryAfter-1)); !d.Limited || d.RetryAfter != 1 {
		t.Errorf("a nanosecond too early: Decide() = %+v, want it limited for one more", d)
	}
	if d, _ = rate.Decide(tat, noon.Add(100*time.Millisecond)); d.Limited || d.Remaining != 0 {
		t.Errorf("after RetryAfter: Decide() = %+v, want it allowed with none left", d)
	}
	if d, _ = rate.Decide(tat, noon.Add(500*time.Millisecond)); d.Limited || d.Remaining != 4 {
		t.Errorf("after Reset: Decide() = %+v, want it allowed with the burst full again", d)
	}
}

// However greedy the client, it gets its burst and then its rate, and not one less.
func TestDecideSustained(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ perSecond, burst int }{{1, 1}, {1, 100}, {1000, 1}, {1000, 2000}, {1_000_000, 10}} {
		t.Run(fmt.Sprintf("%d per second, %d at once", test.perSecond, test.burst), func(t *testing.T) {
			t.Parallel()
			rate := limit.NewRate(test.perSecond, time.Second, test.burst)
			var tat time.Time
			allowed, step := 0, max(time.Second/time.Duration(test.perSecond)/4, time.Microsecond)
			const steps = 20_000
			for i := range steps {
				for range 3 {
					var d limit.Decision
					if d, tat = rate.Decide(tat, noon.Add(time.Duration(i)*step)); !d.Limited {
						allowed++
					}
				}
			}
			refilled := int64(steps-1) * int64(step) * int64(test.perSecond) / int64(time.Second)
			if want := min(test.burst+int(refilled), 3*steps); allowed != want {
				t.Errorf("%+v allowed %d of %d requests in %v, want %d", rate, allowed, 3*steps, steps*step, want)
			}
		})
	}
}

func TestDecideStaysInBounds(t *testing.T) {
	t.Parallel()
	rate := limit.NewRate(7, time.Second, 3) // a second is no multiple of the interval
	var tat time.Time
	for i := range 1000 {
		var d limit.Decision
		d, tat = rate.Decide(tat, noon.Add(time.Duration(i*i%977)*time.Millisecond)) // the clock also goes back
		bounded := d.Remaining >= 0 && d.Remaining < rate.Burst && d.Reset > 0
		if !bounded || d.Limited != (d.RetryAfter > 0) || d.Limited && d.Remaining != 0 {
			t.Fatalf("request %d: Decide() = %+v, which contradicts itself", i, d)
		}
	}
}

// The scripts in Redis have whole microseconds; a finer interval here would tell clients another limit whenever Redis
// is down.
func TestNewRateHasWholeMicroseconds(t *testing.T) {
	t.Parallel()
	for perSecond, want := range map[int]time.Duration{
		1: time.Second, 3: 333_333 * time.Microsecond, 7: 142_857 * time.Microsecond, 1000: time.Millisecond,
		600_000: time.Microsecond, 1_000_000: time.Microsecond, 2_000_000: time.Microsecond, 0: time.Second,
	} {
		t.Run(fmt.Sprintf("%d per second", perSecond), func(t *testing.T) {
			t.Parallel()
			rate := limit.NewRate(perSecond, time.Second, 3)
			if rate.Interval != want {
				t.Errorf("Interval = %v, want %v", rate.Interval, want)
			}
			if d, tat := rate.Decide(time.Time{}, noon); d.Reset != want || tat.Sub(noon) != want {
				t.Errorf("Decide() = %+v, %v, want one interval of %v used", d, tat.Sub(noon), want)
			}
		})
	}
}
