package limit

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSemaphoreBounds(t *testing.T) {
	t.Parallel()
	s := NewSemaphore[string](2, 3, 0)
	release, err := s.TryAcquire("a")
	if err != nil {
		t.Fatal(err)
	}
	must(t, s, "a")
	if _, err := s.TryAcquire("a"); !errors.Is(err, ErrKeyFull) {
		t.Errorf("TryAcquire() of a key with all its slots in use = %v, want %v", err, ErrKeyFull)
	}
	must(t, s, "b")
	if _, err := s.TryAcquire("b"); !errors.Is(err, ErrFull) {
		t.Errorf("TryAcquire() with all slots in use = %v, want %v", err, ErrFull)
	}
	if _, err := s.Acquire(t.Context(), "b"); !errors.Is(err, ErrFull) {
		t.Errorf("Acquire() for which nobody may wait = %v, want %v", err, ErrFull)
	}
	release()
	release() // once is enough
	must(t, s, "b")
	if _, err := s.TryAcquire("a"); !errors.Is(err, ErrFull) {
		t.Errorf("TryAcquire() after a second release of one slot = %v, want %v", err, ErrFull)
	}
}

func must(t *testing.T, s *Semaphore[string], key string) {
	t.Helper()
	if _, err := s.TryAcquire(key); err != nil {
		t.Fatalf("TryAcquire(%q) = %v, want a slot", key, err)
	}
}

func TestSemaphoreTakesWhatThereIs(t *testing.T) {
	t.Parallel()
	s := NewSemaphore[string](10, 15, 0)
	for _, test := range []struct {
		name, key string
		n, want   int
	}{
		{"within the bounds", "a", 4, 4}, {"the rest of the key", "a", 256, 6}, {"nothing of the key", "a", 1, 0},
		{"the rest of all", "b", 256, 5}, {"nothing of all", "c", 1, 0},
	} {
		if got := s.TryAcquireUpTo(test.key, test.n); got != test.want {
			t.Errorf("%s: TryAcquireUpTo(%q, %d) = %d, want %d", test.name, test.key, test.n, got, test.want)
		}
	}
	s.Release("c", 0)
	s.Release("b", 5)
	s.Release("a", 10)
	if s.all != 0 || len(s.used) != 0 {
		t.Errorf("in use after all was released are %d, of keys %v, want none", s.all, s.used)
	}
}

func TestSemaphoreIsFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore[string](2, 3, 2)
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first, _ := s.Acquire(soon, "burst")
		must(t, s, "burst")
		came := make(chan string, 2)
		acquire := func(key string) {
			go func() {
				if _, err := s.Acquire(soon, key); err == nil {
					came <- key
				}
			}()
			synctest.Wait()
		}
		acquire("burst") // waits for a slot of its own key, and keeps nobody else waiting
		release, err := s.Acquire(soon, "other")
		if err != nil {
			t.Fatalf("Acquire() of another key = %v, want a slot", err)
		}
		acquire("other")
		if _, err := s.Acquire(soon, "third"); !errors.Is(err, ErrFull) {
			t.Errorf("Acquire() when two wait already = %v, want %v", err, ErrFull)
		}
		release()
		if got := <-came; got != "other" {
			t.Errorf("the slot of another key went to %s, which has all of its own", got)
		}
		first()
		if got := <-came; got != "burst" {
			t.Errorf("the slot of the burst went to %s", got)
		}
		began := time.Now()
		if _, err := s.Acquire(soon, "burst"); !errors.Is(err, ErrKeyFull) || time.Since(began) != time.Second {
			t.Errorf("waiting in vain = %v after %v, want %v after a second", err, time.Since(began), ErrKeyFull)
		}
		if len(s.waiting) != 0 || s.all != 3 {
			t.Errorf("left are %d who wait and %d in use, want 0 and 3", len(s.waiting), s.all)
		}
	})
}

// However many callers of one key wait, there is a place for one of another.
func TestSemaphoreLeavesPlacesToWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore[string](2, 4, 64)
		for _, key := range []string{"burst", "burst", "other"} {
			must(t, s, key)
		}
		release, err := s.TryAcquire("other")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 64 {
			go func() { _, _ = s.Acquire(ctx, "burst") }()
		}
		synctest.Wait()
		if len(s.waiting) != 32 {
			t.Errorf("%d callers of one key wait, want half of 64", len(s.waiting))
		}
		time.AfterFunc(time.Millisecond, release)
		if _, err := s.Acquire(ctx, "other"); err != nil {
			t.Errorf("Acquire() beside a burst of another key = %v, want the slot that becomes free", err)
		}
		cancel()
		synctest.Wait()
	})
}

// A newcomer takes no slot that a waiting caller may have, and those who wait for the same are served in their order.
func TestSemaphoreServesFirstComeFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewSemaphore[string](4, 4, 10)
		if n := s.TryAcquireUpTo("a", 4); n != 4 {
			t.Fatalf("TryAcquireUpTo() = %d, want 4", n)
		}
		order := make(chan int, 5)
		for i := range 5 {
			go func() {
				if _, err := s.Acquire(t.Context(), string(rune('b'+i))); err == nil {
					order <- i
				}
			}()
			synctest.Wait()
		}
		for want := range 4 {
			s.Release("a", 1)
			if _, err := s.TryAcquire("newcomer"); !errors.Is(err, ErrFull) {
				t.Errorf("a newcomer gets %v, want %v: others wait", err, ErrFull)
			}
			if got := <-order; got != want {
				t.Errorf("the slot went to caller %d, want %d", got, want)
			}
		}
		s.Release("b", 1)
		if got := <-order; got != 4 {
			t.Errorf("the slot went to caller %d, want the last one", got)
		}
	})
}

// Whatever comes and goes, no bound is exceeded and nobody waits for ever: with every slot held for a second at most,
// everyone who is willing to wait gets one.
func TestSemaphoreServesEverybody(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			perKey, total, callers := 1+random.IntN(4), 1+random.IntN(8), 200
			s := NewSemaphore[int](perKey, total, callers)
			watch := newWatch(t, perKey, total)
			var done sync.WaitGroup
			for range callers {
				key := random.IntN(1 + random.IntN(6)) // some keys come more often than others
				begin, hold := time.Duration(random.IntN(2000))*time.Millisecond, time.Duration(random.IntN(1000))*time.Millisecond
				gives := random.IntN(4) == 0 // up before it is served, perhaps
				done.Go(func() {
					time.Sleep(begin)
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(callers)*time.Second)
					if gives {
						ctx, cancel = context.WithTimeout(t.Context(), hold)
					}
					defer cancel()
					release, err := s.Acquire(ctx, key)
					if err != nil {
						if !gives {
							t.Errorf("seed %d: a caller of key %d waited in vain: %v", seed, key, err)
						}
						return
					}
					watch.begin(key)
					time.Sleep(hold)
					watch.end(key)
					release()
				})
			}
			done.Wait()
			if s.all != 0 || len(s.used) != 0 || len(s.waiting) != 0 {
				t.Errorf("seed %d: left are %d slots in use, %d callers", seed, s.all, len(s.waiting))
			}
		})
	}
}

// watch counts what runs at a time and fails the test when a bound is exceeded.
type watch struct {
	*testing.T
	perKey, total int64
	all           atomic.Int64
	of            [8]atomic.Int64
}

func newWatch(t *testing.T, perKey, total int) *watch {
	return &watch{T: t, perKey: int64(perKey), total: int64(total)}
}

func (w *watch) begin(key int) {
	if of, all := w.of[key].Add(1), w.all.Add(1); of > w.perKey || all > w.total {
		w.Errorf("%d of key %d and %d in all run at a time, want at most %d and %d", of, key, all, w.perKey, w.total)
	}
}

func (w *watch) end(key int) {
	w.of[key].Add(-1)
	w.all.Add(-1)
}

func TestSemaphoreUnderContention(t *testing.T) {
	t.Parallel()
	s := NewSemaphore[int](3, 7, 5)
	watch := newWatch(t, 3, 7)
	var callers sync.WaitGroup
	for caller := range 32 {
		callers.Go(func() {
			for i := range 200 {
				key := (caller + i) % 8
				var release func()
				var err error
				switch i % 4 {
				case 0:
					release, err = s.TryAcquire(key)
				case 1:
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Microsecond)
					release, err = s.Acquire(ctx, key)
					cancel()
				case 2:
					release, err = s.Acquire(t.Context(), key)
				default:
					n := s.TryAcquireUpTo(key, 2)
					release = func() { s.Release(key, n) }
					if n < 1 {
						continue
					}
				}
				if err != nil {
					continue
				}
				watch.begin(key)
				watch.end(key)
				release()
			}
		})
	}
	callers.Wait()
	if s.all != 0 || len(s.used) != 0 || len(s.waiting) != 0 {
		t.Errorf("left are %d slots in use, of keys %v, and %d callers that wait", s.all, s.used, len(s.waiting))
	}
}
