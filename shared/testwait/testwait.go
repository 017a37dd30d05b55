// Package testwait waits in tests for what another goroutine or process does, and has a clock that tests move.
package testwait

import (
	"testing"
	"time"
)

const (
	timeout = 30 * time.Second // a busy test machine may take long; only a failure waits it out
	every   = 5 * time.Millisecond
)

// Until returns when holds reports true; after 30 seconds of false it fails the test, naming what was waited for.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	until(t, what, timeout, holds)
}

func until(t testing.TB, what string, timeout time.Duration, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for deadline := time.Now().Add(timeout); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, timeout)
		}
	}
}
