// Package testbrowser opens pages in a browser without a screen, in tests that need one.
package testbrowser

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Open opens address, gives its scripts some time of their own clock, and returns the page as it is then. The test is
// skipped when there is neither Chromium nor Chrome.
func Open(t testing.TB, address string, scripts time.Duration) (page string) {
	t.Helper()
	binary, err := exec.LookPath("chromium")
	if err != nil {
		if binary, err = exec.LookPath("google-chrome"); err != nil {
			t.Skip("neither chromium nor google-chrome is installed")
		}
	}
	// not t.TempDir: the browser's helpers may write to it a moment longer
	profile, err := os.MkdirTemp("", "leadgate-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(profile) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-dev-shm-usage", "--user-data-dir="+profile, "--window-size=1280,800",
		"--virtual-time-budget="+strconv.FormatInt(scripts.Milliseconds(), 10), "--dump-dom", address).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", binary, address, err)
	}
	return string(out)
}
