package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/pg/pgtest"
)

var seed = flag.Uint64("seed", 0, "of what scenarios choose at random; 0 is another one each time")

// lossy is a power cut that takes leads away, because commits are confirmed before they are synced: its checker must
// say so.
const lossy = "power-cut-unsafe"

// The scenarios of CI. Those that are selected are under way at once, which is why they begin when all have been asked.
func TestScenarios(t *testing.T) {
	t.Parallel()
	opt := mustShort(t)
	outcomes := map[string]chan outcome{}
	var selected []scenario
	cut, err := choose("power-cut")
	if err != nil {
		t.Fatal(err)
	}
	cut[0].name, cut[0].unsafe = lossy, "synchronous_commit"
	for _, s := range append(opt.scenarios, cut...) {
		ended := make(chan outcome, 1)
		outcomes[s.name] = ended
		t.Run(s.name, func(t *testing.T) {
			selected = append(selected, s)
			t.Parallel() // waits until TestScenarios returns
			o := <-ended
			if errors.Is(o.err, errNotHere) {
				t.Skip(o.err)
			}
			t.Logf("%s\nafter %v, with -seed %d\n%s", s.what, o.took, opt.seed, o.report)
			switch {
			case s.name == lossy && (o.err == nil || !strings.Contains(o.err.Error(), "201 named lead")):
				t.Errorf("violated: %v, want that leads are lost", o.err)
			case s.name != lossy && o.err != nil:
				t.Errorf("violated: %v", o.err)
			}
		})
	}
	opt.scenarios = selected
	go func() {
		for o := range runAll(t.Context(), opt) {
			outcomes[o.name] <- o
		}
	}()
}

// mustShort returns the options of CI.
func mustShort(t *testing.T) (opt options) {
	t.Helper()
	opt.short()
	opt.seed, opt.newDir, opt.getenv = cmp.Or(*seed, rand.Uint64()), newDir, os.Getenv
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	opt.bin = filepath.Join(t.TempDir(), "bin")
	if err := devstack.Build(t.Context(), root, opt.bin); err != nil {
		t.Fatal(err)
	}
	return opt
}

// newDir makes a system's directory with a cluster in it, which saves each scenario an initdb and all migrations.
func newDir(ctx context.Context) (string, error) {
	dir, err := devstack.TempDir("leadgate-chaos-")
	if err != nil {
		return "", err
	}
	return dir, pgtest.CopyCluster(ctx, filepath.Join(dir, "postgres"))
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-scenarios", "earthquake"}, {"-scenarios", "flush,"}, {"-conns", "0"},
		{"-duration", "1s"}, {"-rate", "0"}, {"-backlog", "10"}, {"-retries", "10"}, {"-rows", "10"}, {"-cuts", "0"}, {"-unsafe", "jit"}, {"extra"},
		{"-seed", "x"}, {"-nonsense"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			if _, err := parse(args, io.Discard); !errors.Is(err, errUsage) {
				t.Errorf("parse(%q) = %v, want a usage error", args, err)
			}
		})
	}
	opt, err := parse([]string{"-scenarios", "redis-hang,flush", "-conns", "8"}, io.Discard)
	if err != nil || len(opt.scenarios) != 2 || opt.scenarios[0].name != "redis-hang" || opt.conns != 8 ||
		opt.duration != 10*time.Second {
		t.Errorf("parse() = %+v, %v, want two scenarios in the given order on 8 connections", opt, err)
	}
	opt, err = parse([]string{"-short", "-rate", "20", "-seed", "7"}, io.Discard)
	if err != nil || len(opt.scenarios) != len(shortScenarios()) || opt.rate != 20 || opt.duration != 3*time.Second ||
		opt.seed != 7 {
		t.Errorf("parse() = %+v, %v, want the scenarios of CI at 20 posts a second", opt, err)
	}
}
