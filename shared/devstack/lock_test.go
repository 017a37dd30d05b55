package devstack

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"
)

// A lock whose release nobody keeps is held all the same: a collected os.File would close it.
func TestLockOutlivesTheGarbageCollector(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	if _, err := Lock(path, false); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		runtime.GC()
		if _, err := Lock(path, false); !errors.Is(err, ErrLocked) {
			t.Fatalf("Lock() of a locked file = %v, want ErrLocked", err)
		}
	}
}
