package limit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestLocalLimitsEachKey(t *testing.T) {
	t.Parallel()
	var l Local[string]
	rate := NewRate(2, time.Minute, 2)
	if d := l.Peek("a", rate, noon); d.Limited || d.Remaining != 1 {
		t.Errorf("Peek() of a new key = %+v, want one left after it", d)
	}
	for range 2 {
		if d := l.Take("a", rate, noon); d.Limited {
			t.Errorf("Take() within the burst = %+v, want it allowed", d)
		}
	}
	if d := l.Take("a", rate, noon); !d.Limited || d.RetryAfter != 30*time.Second {
		t.Errorf("Take() after the burst = %+v, want it limited for 30 s", d)
	}
	if d := l.Peek("a", rate, noon); !d.Limited || d.RetryAfter != 30*time.Second {
		t.Errorf("Peek() after the burst = %+v, want it limited for 30 s", d)
	}
	if d := l.Take("b", rate, noon); d.Limited {
		t.Errorf("Take() of another key = %+v, want it allowed", d)
	}
	if d := l.Take("a", rate, noon.Add(30*time.Second)); d.Limited {
		t.Errorf("Take() after RetryAfter = %+v, want it allowed", d)
	}
}

func TestLocalIsBounded(t *testing.T) {
	t.Parallel()
	rate := NewRate(1, time.Minute, 1)
	for name, test := range map[string]struct {
		pause   time.Duration // between the first and the last keys
		first   int           // keys taken before the pause
		forgets bool          // that the last key before the bound was taken
	}{
		"full keys go first": {2 * time.Minute, maxKeys - 10, false},
		"all go at once":     {time.Second, maxKeys - 10, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l Local[int]
			for key := range test.first {
				l.Take(key, rate, noon)
			}
			later := noon.Add(test.pause)
			for key := test.first; key <= maxKeys; key++ {
				l.Take(key, rate, later)
			}
			if n := len(l.tat); n > 11 {
				t.Errorf("keys remembered = %d, want the last ones", n)
			}
			if got := !l.Peek(maxKeys-1, rate, later).Limited; got != test.forgets {
				t.Errorf("the key before the bound is forgotten: %v, want %v", got, test.forgets)
			}
		})
	}
}

// However many take at once, a key gets its burst and no more.
func TestLocalUnderContention(t *testing.T) {
	t.Parallel()
	var l Local[int]
	var allowed [4]atomic.Int64
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for i := range 400 {
				if key := i % 4; !l.Take(key, NewRate(1, time.Hour, 50), noon).Limited {
					allowed[key].Add(1)
				}
			}
		})
	}
	callers.Wait()
	for key := range allowed {
		if n := allowed[key].Load(); n != 50 {
			t.Errorf("allowed of key %d = %d, want 50", key, n)
		}
	}
}
