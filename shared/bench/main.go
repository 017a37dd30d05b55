// Command bench measures leadgate on this machine: whole processes, loopback, bounded in time, with baselines in the
// same run.
//
//	go run ./shared/bench                      # everything; README.md, Measured, says how long each takes
//	go run ./shared/bench -scenarios ingest -conns 256 -duration 10s -rounds 5
//	go run ./shared/bench -scenarios drain,fanout -backlog 200000
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
	"leadgate/shared/leadfile"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	scenarios []string
	conns     []int // of closed loops
	rates     []int // leads a second of sustained
	duration  time.Duration
	rounds    int
	backlog   int // deliveries of drain and fanout
	rows      int // of the file of import
	large     int // deliveries of memory and neighbour
	crowd     int // leads of million and export
	robots    int // posts of flood

	steady time.Duration // neighbour measures for so long at least: its tenant posts little
	sweeps time.Duration // what memory waits for
	quick  bool          // on stores that do not survive the machine's crash
}

// bench is one run against one system.
type bench struct {
	options
	*devstack.System
	base     *baseline
	out      io.Writer
	serial   int
	counting string // how statements are counted; "": not asked yet
}

// The scenarios from import on begin by emptying the tables, so they come last.
var scenarios = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"ingest", (*bench).ingest},
	{"forms", (*bench).forms},
	{"flood", (*bench).flood},
	{"batch", (*bench).batch},
	{"open", (*bench).open},
	{"delivery", (*bench).delivery},
	{"import", (*bench).imports},
	{"drain", (*bench).drain},
	{"fanout", (*bench).fanout},
	{"sustained", (*bench).sustained},
	{"memory", (*bench).memory},
	{"neighbour", (*bench).neighbour},
	{"million", (*bench).million},
	{"export", (*bench).export},
	{"console", (*bench).console},
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	opt, rowsDSN, err := parse(args)
	if err != nil {
		return err
	}
	if rowsDSN != "" {
		return serveRows(ctx, rowsDSN, out)
	}
	return measure(ctx, opt, getenv, out)
}

// measure runs the scenarios on a system of their own.
func measure(ctx context.Context, opt options, getenv func(string) string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "leadgate-bench-")
	if err != nil {
		return err
	}
	defer devstack.Remove(dir)
	sys, err := devstack.Start(ctx, devstack.SystemOptions{Dir: dir, Durable: !opt.quick, Getenv: getenv, Env: []string{trustLoopback},
		Say: func(s string) { fmt.Fprintln(out, s) }})
	if err != nil {
		return err
	}
	defer sys.Stop()
	b := &bench{options: opt, System: sys, out: out}
	if b.base, err = openBaseline(ctx, sys.DatabaseURL); err != nil {
		return err
	}
	defer b.base.close()
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
	rates := f.String("rates", "500,3000", "leads a second of sustained")
	f.DurationVar(&opt.duration, "duration", 4*time.Second, "of one measurement, at most 1m; 10s at least in neighbour")
	f.IntVar(&opt.rounds, "rounds", 3, "of each comparison, interleaved; the median counts")
	f.IntVar(&opt.backlog, "backlog", 50_000, "deliveries of drain and fanout, a multiple of 1000")
	f.IntVar(&opt.rows, "rows", 200_000, "of the file of import, 1000 to 1000000")
	f.IntVar(&opt.large, "large", 500_000, "deliveries that wait in memory and neighbour")
	f.IntVar(&opt.crowd, "crowd", 1_000_000, "leads of million and export")
	f.IntVar(&opt.robots, "robots", 1_000_000, "posts of flood, 1000 to 10000000")
	f.StringVar(&rowsDSN, "serve-rows", "", "internal: serve the row-by-row handler on this database")
	if err := f.Parse(args); err != nil {
		return opt, "", err
	}
	opt.steady, opt.sweeps = 10*time.Second, 5*time.Second
	opt.scenarios = strings.Split(*which, ",")
	for _, s := range opt.scenarios {
		if !slices.Contains(names, s) {
			return opt, "", fmt.Errorf("-scenarios: %q is none of %s", s, strings.Join(names, ", "))
		}
	}
	if opt.conns, err = numbers("conns", *conns, 4096); err != nil {
		return opt, "", err
	}
	if opt.rates, err = numbers("rates", *rates, 20_000); err != nil {
		return opt, "", err
	}
	if opt.duration <= 0 || opt.duration > time.Minute || opt.rounds < 1 || opt.rounds > 50 {
		return opt, "", fmt.Errorf("-duration wants up to 1m and -rounds 1 to 50")
	}
	if opt.robots < 1000 || opt.robots > 10_000_000 {
		return opt, "", fmt.Errorf("-robots wants 1000 to 10000000")
	}
	if opt.crowd < 1000 || opt.crowd > 20_000_000 {
		return opt, "", fmt.Errorf("-crowd wants 1000 to 20000000")
	}
	if opt.rows < 1000 || opt.rows > leadfile.MaxRows {
		return opt, "", fmt.Errorf("-rows wants 1000 to %d", leadfile.MaxRows)
	}
	if opt.backlog < 1000 || opt.backlog > 5_000_000 || opt.backlog%1000 != 0 || opt.large < 1000 ||
		opt.large > 5_000_000 {
		return opt, "", fmt.Errorf("-backlog and -large want 1000 to 5000000, and -backlog whole thousands")
	}
	return opt, rowsDSN, nil
}

// numbers reads a list of numbers from 1 to top.
func numbers(name, list string, top int) (all []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > top {
			return nil, fmt.Errorf("-%s: want numbers from 1 to %d, not %q", name, top, text)
		}
		all = append(all, n)
	}
	return all, nil
}

// printf writes one line of the report.
func (b *bench) printf(format string, args ...any) { fmt.Fprintf(b.out, "  "+format+"\n", args...) }

// nextRun names the leads of one measurement, so that no two have an email in common.
func (b *bench) nextRun() string {
	b.serial++
	return fmt.Sprintf("r%d", b.serial)
}
