package version

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestStamped(t *testing.T) {
	t.Parallel()
	const revision = "0123456789abcdef0123456789abcdef01234567"
	commit := []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "false"}}
	dirty := []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "true"}}
	for name, tc := range map[string]struct {
		module   string
		settings []debug.BuildSetting
		want     string
	}{
		"a release":          {"v1.2.3", commit, "v1.2.3"},
		"an installed one":   {"v1.2.3", nil, "v1.2.3"},
		"a commit":           {"(devel)", commit, revision},
		"a pseudo-version":   {"v0.0.0-20300101000000-0123456789ab", commit, revision},
		"changed files":      {"v0.0.0-20300101000000-0123456789ab+dirty", dirty, revision + "+dirty"},
		"changed, no module": {"", dirty, revision + "+dirty"},
		"nothing":            {"(devel)", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := stamped(&debug.BuildInfo{Main: debug.Module{Version: tc.module}, Settings: tc.settings}); got != tc.want {
				t.Errorf("stamped(%q, %v) = %q, want %q", tc.module, tc.settings, got, tc.want)
			}
		})
	}
}

func TestOfCheckout(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		args = append([]string{"-C", dir, "-c", "user.name=Test", "-c", "user.email=test@example.com"}, args...)
		out, err := exec.Command("git", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %q = %s, %v", args, out, err)
		}
		return strings.TrimSpace(string(out))
	}
	if got := OfCheckout(t.Context(), filepath.Join(dir, "missing")); got != "" {
		t.Errorf("OfCheckout(no directory) = %q, want none", got)
	}
	git("init", "-q")
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	git("add", "file")
	git("commit", "-q", "-m", "first")
	commit := git("rev-parse", "HEAD")
	if got := OfCheckout(t.Context(), dir); got != commit {
		t.Errorf("OfCheckout() = %q, want %q", got, commit)
	}
	if err := os.WriteFile(file, []byte("b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := OfCheckout(t.Context(), dir); got != commit+"+dirty" {
		t.Errorf("OfCheckout() of changed files = %q, want %q", got, commit+"+dirty")
	}
	git("commit", "-q", "-a", "-m", "second")
	git("tag", "v1.2.3")
	if got := OfCheckout(t.Context(), dir); got != "v1.2.3" {
		t.Errorf("OfCheckout() of a tag = %q, want v1.2.3", got)
	}
}

// A built program says what it was linked with, and go run, which stamps nothing, the commit it runs.
func TestBuiltPrograms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	main := filepath.Join(dir, "main.go")
	const source = "package main\n\nimport \"leadgate/shared/version\"\n\nfunc main() { println(version.String()) }\n"
	if err := os.WriteFile(main, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("go", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("go %q = %s, %v", args, out, err)
		}
		return strings.TrimSpace(string(out))
	}
	if got := run("run", "-ldflags", LinkerFlag("v1.2.3"), main); got != "v1.2.3" {
		t.Errorf("a program linked with v1.2.3 says %q", got)
	}
	want := OfCheckout(t.Context(), ".")
	if want == "" {
		want = "devel"
	}
	if got := run("run", main); got != want {
		t.Errorf("a program under go run says %q, want %q", got, want)
	}
}

// The image's build sets the version by name; a name that the linker does not know it would ignore without a word.
func TestDockerfileSetsTheVersion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	if want := LinkerFlag("$VERSION"); !strings.Contains(string(text), want) {
		t.Errorf("Dockerfile lacks %q", want)
	}
}
