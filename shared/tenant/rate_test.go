package tenant_test

import (
	"testing"
	"time"

	"leadgate/shared/tenant"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestDecideBurst(t *testing.T) {
	t.Parallel()
	rate := tenant.Rate{PerSecond: 10, Burst: 5}
	var tat time.Time
	var v tenant.Verdict
	for i := range 5 {
		v, tat = rate.Decide(tat, noon)
		want := tenant.Verdict{Remaining: 4 - i, Reset: time.Duration(i+1) * 100 * time.Millisecond}
		if v != want {
			t.Errorf("request %d: Decide() = %+v, want %+v", i+1, v, want)
		}
	}
	full := tat
	v, tat = rate.Decide(tat, noon)
	if want := (tenant.Verdict{Limited: true, RetryAfter: 100 * time.Millisecond, Reset: 500 * time.Millisecond}); v != want || tat != full {
		t.Errorf("request 6: Decide() = %+v, want %+v, and nothing spent", v, want)
	}
	if v, _ = rate.Decide(tat, noon.Add(v.RetryAfter-1)); !v.Limited || v.RetryAfter != 1 {
		t.Errorf("a nanosecond too early: Decide() = %+v, want it limited for one more", v)
	}
	if v, _ = rate.Decide(tat, noon.Add(100*time.Millisecond)); v.Limited || v.Remaining != 0 {
		t.Errorf("after RetryAfter: Decide() = %+v, want it allowed with none left", v)
	}
	if v, _ = rate.Decide(tat, noon.Add(500*time.Millisecond)); v.Limited || v.Remaining != 4 {
		t.Errorf("after Reset: Decide() = %+v, want it allowed with the burst full again", v)
	}
}

// However greedy the client, it gets its burst and then its rate, and not one less.
func TestDecideSustained(t *testing.T) {
	t.Parallel()
	for _, rate := range []tenant.Rate{{1, 1}, {1, 100}, {1000, 1}, {1000, 2000}, {tenant.MaxRate, 10}} {
		var tat time.Time
		allowed, step := 0, max(time.Second/time.Duration(rate.PerSecond)/4, time.Microsecond)
		const steps = 20_000
		for i := range steps {
			for range 3 {
				var v tenant.Verdict
				if v, tat = rate.Decide(tat, noon.Add(time.Duration(i)*step)); !v.Limited {
					allowed++
				}
			}
		}
		want := rate.Burst + int(int64(steps-1)*int64(step)*int64(rate.PerSecond)/int64(time.Second))
		if asked := 3 * steps; allowed != min(want, asked) {
			t.Errorf("%+v allowed %d of %d requests in %v, want %d", rate, allowed, asked, steps*step, min(want, asked))
		}
	}
}

func TestDecideHeadersStayInBounds(t *testing.T) {
	t.Parallel()
	rate := tenant.Rate{PerSecond: 7, Burst: 3} // a second is no multiple of the interval
	var tat time.Time
	for i := range 1000 {
		var v tenant.Verdict
		v, tat = rate.Decide(tat, noon.Add(time.Duration(i*i%977)*time.Millisecond)) // the clock also goes back
		if v.Remaining < 0 || v.Remaining >= rate.Burst || v.Reset <= 0 || v.Limited != (v.RetryAfter > 0) || v.Limited && v.Remaining != 0 {
			t.Fatalf("request %d: Decide() = %+v, which contradicts itself", i, v)
		}
	}
}

// The script in Redis has whole microseconds; a finer interval here would tell clients another limit whenever Redis is away.
func TestInterval(t *testing.T) {
	t.Parallel()
	for perSecond, want := range map[int]time.Duration{
		1: time.Second, 3: 333_333 * time.Microsecond, 7: 142_857 * time.Microsecond, 1000: time.Millisecond,
		600_000: time.Microsecond, tenant.MaxRate: time.Microsecond, 2 * tenant.MaxRate: time.Microsecond, 0: time.Second,
	} {
		rate := tenant.Rate{PerSecond: perSecond, Burst: 3}
		if got := rate.Interval(); got != want {
			t.Errorf("%+v.Interval() = %v, want %v", rate, got, want)
		}
		if v, tat := rate.Decide(time.Time{}, noon); v.Reset != want || tat.Sub(noon) != want {
			t.Errorf("%+v.Decide() = %+v, %v, want one interval of %v used", rate, v, tat.Sub(noon), want)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	for rate, want := range map[tenant.Rate]time.Duration{{1000, 2000}: 2 * time.Second, {1000, 10}: time.Second, {1, 60}: time.Minute, {3, 10}: 3 * time.Second} {
		if got := rate.Window(); got != want {
			t.Errorf("%+v.Window() = %v, want %v", rate, got, want)
		}
	}
}
