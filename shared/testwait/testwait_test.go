package testwait

import (
	"fmt"
	"testing"
	"time"
)

// failing is a test that notes its failure.
type failing struct {
	testing.TB
	text string
}

func (f *failing) Helper()                           {}
func (f *failing) Fatalf(format string, args ...any) { f.text = fmt.Sprintf(format, args...); panic(f) }

func TestUntil(t *testing.T) {
	t.Parallel()
	asked := 0
	Until(t, "the third answer", func() bool { asked++; return asked == 3 })
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
	f := &failing{TB: t}
	func() {
		defer func() { recover() }()
		UntilWithin(f, 20*time.Millisecond, "the moon", func() bool { return false })
	}()
	if want := "the moon: not within 20ms"; f.text != want {
		t.Errorf("failed with %q, want %q", f.text, want)
	}
}
