package admin_test

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// browse opens an address in headless Chromium and returns the page as it stands after its scripts ran.
func browse(t *testing.T, address string) string {
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
	cmd := exec.CommandContext(ctx, binary,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--user-data-dir="+profile,
		"--window-size=1280,800", "--virtual-time-budget=5000", "--dump-dom", address)
	page, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", binary, address, err)
	}
	return string(page)
}

func TestDashboardRendersInABrowser(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.wake()
	u, err := url.Parse(b.url + "/admin/queues")
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("admin", token)
	page := browse(t, u.String())
	for _, want := range []string{">webhook<", ">enrich<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the dashboard shows no %q:\n%.4000s", want, page)
		}
	}
	if strings.Contains(page, `name="token"`) {
		t.Error("the browser got the login form, want the dashboard")
	}
}

// Headless, the browser's password prompt is dismissed at once and nothing is shown.
func TestBrowserWithoutTokenSeesNoQueues(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.wake()
	if page := browse(t, b.url+"/admin/queues"); strings.Contains(page, ">webhook<") {
		t.Errorf("a visitor without the token sees the queues:\n%.2000s", page)
	}
	if page := browse(t, b.url+"/admin/login?next=/admin/queues"); !strings.Contains(page, `name="token"`) {
		t.Errorf("the login page has no form:\n%.2000s", page)
	}
}
