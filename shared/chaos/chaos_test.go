package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/pg/pgtest"
)

// Every scenario, short. They mostly wait for what is taken over, so all are under way at once, and only a few are
// loaded at a time.
func TestScenarios(t *testing.T) {
	t.Parallel()
	root, err := devstack.Root()
	if err != nil {
		t.Fatal(err)
	}
	opt := options{duration: 3 * time.Second, conns: 16, rate: 150, backlog: 1000, retries: 500, rows: 20_000,
		bin: filepath.Join(t.TempDir(), "bin"), newDir: newDir, getenv: os.Getenv}
	if err := devstack.Build(t.Context(), root, opt.bin); err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		report string
		err    error
	}
	all := scenarios()
	outcomes := make([]chan outcome, len(all))
	for i := range all {
		outcomes[i] = make(chan outcome, 1)
	}
	go func() {
		slots := make(chan struct{}, 2)
		for i, s := range slices.Backward(all) { // the last ones wait longest
			slots <- struct{}{}
			opt := opt
			opt.loaded = sync.OnceFunc(func() { <-slots })
			go func() {
				defer opt.loaded()
				r, err := s.run(t.Context(), opt)
				outcomes[i] <- outcome{r, err}
			}()
		}
	}()
	for i, s := range all {
		t.Run(s.name, func(t *testing.T) {
			o := <-outcomes[i]
			if errors.Is(o.err, errStandIn) {
				t.Skip(o.err)
			}
			t.Logf("%s\n%s", s.what, o.report)
			if o.err != nil {
				t.Errorf("violated: %v", o.err)
			}
		})
	}
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
		{"-duration", "1s"}, {"-rate", "0"}, {"-backlog", "10"}, {"-retries", "10"}, {"-rows", "10"}, {"extra"},
		{"-nonsense"}} {
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
}
