package limit_test

import (
	"testing"

	"leadgate/shared/limit"
)

// A key gets a quarter of what the others leave, so the ninth finds something beside eight that take all they can.
func TestBudgetLeavesSomethingForEachKey(t *testing.T) {
	t.Parallel()
	const total = 64 << 20
	b := limit.NewBudget[int](total)
	rest := int64(total)
	for key := range 8 {
		if b.TryAcquire(key, rest/4+1) || !b.TryAcquire(key, rest/4) {
			t.Fatalf("key %d may not take a quarter of what is left, %d, or more than that", key, rest/4)
		}
		rest -= rest / 4
	}
	if !b.TryAcquire(8, 1<<20) {
		t.Errorf("TryAcquire = false for 1 MiB beside eight keys, want true: %+v", b.Usage())
	}
	want := limit.Usage{Total: total, Used: total - rest + 1<<20, Short: 8}
	if got := b.Usage(); got != want {
		t.Errorf("Usage() = %+v, want %+v", got, want)
	}
}

func TestBudgetGivesBack(t *testing.T) {
	t.Parallel()
	b := limit.NewBudget[string](400)
	if !b.TryAcquire("a", 100) || b.TryAcquire("a", 1) {
		t.Fatal("a key of an empty budget may not take a quarter, or more than that")
	}
	b.Charge("a", 50) // held already
	if got := b.Usage().Used; got != 150 {
		t.Errorf("used = %d after a charge, want 150", got)
	}
	if got := b.TryAcquireUpTo("a", 10); got != 0 {
		t.Errorf("TryAcquireUpTo = %d for a key that holds too much, want 0", got)
	}
	b.Release("a", 70)
	for _, want := range []int64{5, 3, 3, 2} { // a quarter of 20, of 15, of 12, of 9
		if got := b.TryAcquireUpTo("a", 100); got != want {
			t.Errorf("TryAcquireUpTo = %d, want %d, a quarter of what the key may take", got, want)
		}
	}
	b.Release("a", 80+5+3+3+2)
	if got := b.Usage(); got.Used != 0 {
		t.Errorf("Usage() = %+v when all came back, want nothing used", got)
	}
}
