// Package version says which sources a program was built from.
package version

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// linked is set at link time: go build -ldflags "-X leadgate/shared/version.linked=v1.2.3". A variable, as the linker
// can set no other thing.
var linked string

// LinkerFlag returns the argument of -ldflags that makes String return v.
func LinkerFlag(v string) string { return "-X leadgate/shared/version.linked=" + v }

// String returns the version of this program, by the first of these that is known:
//
//   - the version that was set at link time (images, go run ./shared/dev)
//   - the release that go install was asked for, or the commit that go build found; "+dirty" marks uncommitted changes
//   - under go run, which stamps nothing: the commit of the checkout that it compiled
//   - "devel"
func String() string {
	if linked != "" {
		return linked
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := stamped(info); v != "" {
			return v
		}
	}
	if startedByGoRun() { // in a directory of the module, for else it would know no ./gateway
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if v := OfCheckout(ctx, "."); v != "" {
			return v
		}
	}
	return "devel"
}

// stamped returns what the go command wrote into the program, "" when it wrote nothing. A pseudo-version gives way to
// the commit that it abbreviates.
func stamped(info *debug.BuildInfo) string {
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	release := info.Main.Version
	if release == "(devel)" || len(revision) >= 12 && strings.Contains(release, revision[:12]) {
		release = ""
	}
	if release == "" && revision != "" {
		return revision + dirty
	}
	return release
}

// OfCheckout returns the tag or commit that is checked out in dir, with "+dirty" when files differ from it; "" when git
// cannot tell.
func OfCheckout(ctx context.Context, dir string) string {
	text, err := exec.CommandContext(ctx, "git", "-C", dir, "describe", "--tags", "--always", "--abbrev=40",
		"--dirty=+dirty").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// startedByGoRun reports whether this program lies where go run puts it. Only then is the checkout still the one that
// was compiled.
func startedByGoRun() bool {
	program, err := os.Executable()
	return err == nil && strings.Contains(program, string(filepath.Separator)+"go-build") &&
		filepath.Base(filepath.Dir(program)) == "exe"
}
