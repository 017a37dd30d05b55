// Command bench measures leadgate on this machine: whole processes, loopback, bounded in time, with baselines in the same run.
//
//	go run ./shared/bench                      # everything, about three minutes
//	go run ./shared/bench -scenarios ingest -conns 256 -duration 10s -rounds 5
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"leadgate/shared/devstack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options is what can be asked for.
type options struct {
	scenarios []string
	conns     []int
	duration  time.Duration
	rounds    int
}

// bench is one run against one system.
type bench struct {
	options
	*devstack.System
	base   *baseline
	rows   string // address of the row-by-row handler
	out    io.Writer
	serial int
}

var scenarios = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"ingest", (*bench).ingest},
	{"open", (*bench).open},
	{"delivery", (*bench).delivery},
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	opt, rowsDSN, err := parse(args)
	if err != nil {
		return err
	}
	if rowsDSN != "" {
		return serveRows(ctx, rowsDSN, out)
	}
	dir, err := os.MkdirTemp("", "leadgate-bench-")
	if err != nil {
		return err
	}
	defer devstack.Remove(dir)
	sys, err := devstack.Start(ctx, devstack.SystemOptions{Dir: dir, Durable: true, Getenv: getenv, Say: func(s string) { fmt.Fprintln(out, s) }})
	if err != nil {
		return err
	}
	defer sys.Stop()
	b := &bench{options: opt, System: sys, out: out}
	if b.base, err = openBaseline(ctx, sys.DatabaseURL); err != nil {
		return err
	}
	defer b.base.close()
	stopRows, err := b.startRows(ctx)
	if err != nil {
		return err
	}
	defer stopRows()
	for _, s := range scenarios {
		if !slices.Contains(opt.scenarios, s.name) {
			continue
		}
		fmt.Fprintf(out, "\n%s\n", s.name)
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return ctx.Err()
}

func parse(args []string) (opt options, rowsDSN string, err error) {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	which := f.String("scenarios", strings.Join(names, ","), "which to run")
	conns := f.String("conns", "64,256", "connections of the closed loops")
	f.DurationVar(&opt.duration, "duration", 5*time.Second, "of one measurement, at most 1m")
	f.IntVar(&opt.rounds, "rounds", 3, "of each comparison, interleaved; the median counts")
	f.StringVar(&rowsDSN, "serve-rows", "", "internal: serve the row-by-row handler on this database")
	if err := f.Parse(args); err != nil {
		return opt, "", err
	}
	opt.scenarios = strings.Split(*which, ",")
	for _, s := range opt.scenarios {
		if !slices.Contains(names, s) {
			return opt, "", fmt.Errorf("-scenarios: %q is none of %s", s, strings.Join(names, ", "))
		}
	}
	for c := range strings.SplitSeq(*conns, ",") {
		n, err := strconv.Atoi(c)
		if err != nil || n < 1 || n > 4096 {
			return opt, "", fmt.Errorf("-conns: want numbers from 1 to 4096, not %q", c)
		}
		opt.conns = append(opt.conns, n)
	}
	if opt.duration <= 0 || opt.duration > time.Minute || opt.rounds < 1 || opt.rounds > 50 {
		return opt, "", fmt.Errorf("-duration wants up to 1m and -rounds 1 to 50")
	}
	return opt, rowsDSN, nil
}

// printf writes one line of the report.
func (b *bench) printf(format string, args ...any) { fmt.Fprintf(b.out, "  "+format+"\n", args...) }

// nextRun names the leads of one measurement, so that no two have an email in common.
func (b *bench) nextRun() string {
	b.serial++
	return fmt.Sprintf("r%d", b.serial)
}
