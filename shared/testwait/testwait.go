// Package testwait waits in tests for what another goroutine or process does, and has a clock that tests move.
package testwait

import (
	"testing"
	"time"
)

const (
	timeout = 90 * time.Second // a busy test machine may take long; only a failure waits it out
	// Between two looks, which are often statements, and keep the machine from what is waited for.
	longest = 50 * time.Millisecond
)

// Until returns when holds reports true; after 90 seconds of false it fails the test, naming what was waited for.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	UntilWithin(t, timeout, what, holds)
}

// UntilWithin is Until with another patience.
func UntilWithin(t testing.TB, timeout time.Duration, what string, holds func() bool) {
	t.Helper()
	pause := time.Millisecond
	for deadline := time.Now().Add(timeout); !holds(); pause = min(pause*3/2, longest) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, timeout)
		}
		time.Sleep(pause)
	}
}
