// Command bench measures leadgate on this machine: whole processes, loopback, bounded in time, with baselines in the
// same run. PERFORMANCE.md says what each scenario does and what its figures mean.
//
//	go run ./shared/bench                      # everything
//	go run ./shared/bench -short               # everything, so short that the times mean little; the counts hold
//	go run ./shared/bench -scenarios ingest -conns 256 -duration 10s -rounds 5
//	go run ./shared/bench -scenarios ingest,drain -against ../former -rounds 5
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/devstack"
	"leadgate/shared/rdb"
	"leadgate/shared/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run against one system.
type bench struct {
	options
	*devstack.System
	base     *baseline
	redis    redis.UniversalClient
	out      io.Writer
	progress *progress
	report   *report
	scenario string // which runs
	serial   int

	countsStatements, readsWAL bool // Postgres can tell
}

// scenario is one of the things that are measured.
type scenario struct {
	name  string
	run   func(*bench, context.Context) error
	limit time.Duration // it is broken off after so long
}

// usual is how long a scenario may take; most take less than a minute.
const usual = 10 * time.Minute

// scenarios are run in this order. Those from import on begin by emptying the tables, so they come last.
func scenarios() []scenario {
	return []scenario{
		{"ingest", (*bench).ingest, usual},
		{"forms", (*bench).forms, usual},
		{"flood", (*bench).flood, time.Hour},
		{"batch", (*bench).batch, usual},
		{"open", (*bench).open, usual},
		{"overload", (*bench).overload, usual},
		{"import", (*bench).imports, usual},
		{"mixed", (*bench).mixed, usual},
		{"quiet", (*bench).quiet, usual},
		{"idle", (*bench).idle, usual},
		{"spread", (*bench).spread, usual},
		{"capacity", (*bench).capacity, usual},
		{"drain", (*bench).drain, usual},
		{"batched", (*bench).batched, usual},
		{"fanout", (*bench).fanout, usual},
		{"sustained", (*bench).sustained, usual},
		{"pairs", (*bench).pairs, usual},
		{"memory", (*bench).memory, usual},
		{"heavy", (*bench).heavy, usual},
		{"neighbour", (*bench).neighbour, time.Hour},
		{"horizon", (*bench).horizon, usual},
		{"million", (*bench).million, time.Hour},
		{"export", (*bench).export, time.Hour},
		{"console", (*bench).console, time.Hour},
		{"big", (*bench).big, 2 * time.Hour},
	}
}

// run writes the report for people to out and what goes on to errs, if that is a terminal. With -json the document
// goes to out, and the report for people to errs.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer, errs *os.File) error {
	opt, err := parse(args)
	if err != nil {
		return err
	}
	if opt.rowsDSN != "" {
		return serveRows(ctx, opt.rowsDSN, out)
	}
	p := newProgress(errs)
	defer p.clear()
	text := p.beside(out)
	if opt.json {
		text = p.beside(errs)
	}
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	ours := checkout{root: root}
	var r *report
	if opt.against != "" {
		r, err = compare(ctx, opt, getenv, ours, text, p)
	} else {
		r, err = measure(ctx, opt, getenv, ours, text, p)
	}
	if err != nil || !opt.json {
		return err
	}
	return r.writeJSON(out)
}

// checkout is where the programs under test come from.
type checkout struct {
	root  string
	bin   string // where they are built already; "": they are to be built
	other bool   // it is not ours: its own gateway makes the schema
}

// quickRoom is how many bytes quick stores may need.
const quickRoom = 2 << 30

// measure runs the scenarios on a system of their own.
func measure(ctx context.Context, opt options, getenv func(string) string, from checkout, out io.Writer,
	p *progress) (_ *report, err error) {
	where := ""
	if opt.quick {
		where = devstack.FastDir(quickRoom)
	}
	dir, err := os.MkdirTemp(where, "leadgate-bench-")
	if err != nil {
		return nil, err
	}
	defer devstack.Remove(dir)
	sys, err := devstack.Start(ctx, devstack.SystemOptions{Dir: dir, Root: from.root, Bin: from.bin, Other: from.other,
		Durable: !opt.quick, Getenv: getenv, Env: []string{trustLoopback}, Say: func(s string) { p.show("%s", s) }})
	if err != nil {
		return nil, err
	}
	defer sys.Stop()
	b := &bench{options: opt, System: sys, out: out, progress: p,
		report: newReport(cmp.Or(version.OfCheckout(ctx, from.root), filepath.Base(from.root)))}
	if b.redis, err = rdb.Open(sys.RedisURL, rdb.Options{Timeout: 10 * time.Second}); err != nil {
		return nil, err
	}
	defer b.redis.Close()
	if b.base, err = openBaseline(ctx, uncounted(sys.DatabaseURL)); err != nil {
		return nil, err
	}
	defer b.base.close()
	if from.other { // it may lack the table, and has nothing in it then
		const q = `create table if not exists enrichment_queue (workspace_id uuid, due_at timestamptz, leads uuid[])`
		if _, err := b.base.db.ExecContext(ctx, q); err != nil {
			return nil, err
		}
	}
	if err := b.prepareCounting(ctx); err != nil {
		return nil, err
	}
	if !opt.quick {
		if err := b.ageLog(ctx); err != nil {
			return nil, err
		}
	}
	for _, s := range scenarios() {
		if !slices.Contains(opt.scenarios, s.name) {
			continue
		}
		if err := b.play(ctx, s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return b.report, ctx.Err()
}

// logSegments is how many segments of its log Postgres has used before anything is measured, of 16 MB each.
const logSegments = 128

// ageLog has Postgres use as many segments of its log as it keeps for use again. A new installation makes each segment
// when it is needed, fills it with zeros and syncs it while all commits wait; one that has run for a while renames an
// old one.
func (b *bench) ageLog(ctx context.Context) error {
	b.step("using segments of the log")
	for _, keep := range []string{`alter system set min_wal_size = '2GB'`, `select pg_reload_conf()`} {
		if _, err := b.base.db.ExecContext(ctx, keep); err != nil {
			return fmt.Errorf("keep the log: %w", err)
		}
	}
	const q = `select pg_logical_emit_message(false, 'leadgate', ''), pg_switch_wal()`
	for range logSegments {
		if _, err := b.base.db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("use the log: %w", err)
		}
	}
	for range 2 {
		if _, err := b.base.db.ExecContext(ctx, `checkpoint`); err != nil {
			return fmt.Errorf("recycle the log: %w", err)
		}
	}
	return nil
}

func (b *bench) play(ctx context.Context, s scenario) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, fmt.Errorf("it has taken %v", s.limit))
	defer cancel()
	begin := time.Now()
	b.scenario = s.name
	fmt.Fprintf(b.out, "\n%s\n", s.name)
	b.step("")
	if err := s.run(b, ctx); err != nil {
		if why := context.Cause(ctx); why != nil {
			return errors.Join(why, err)
		}
		return err
	}
	b.printUsage()
	b.printf("took %.0f s", time.Since(begin).Seconds())
	return nil
}

// step says what goes on.
func (b *bench) step(format string, args ...any) {
	b.progress.show("%s %s", b.scenario, fmt.Sprintf(format, args...))
}

// printf writes one line of the report.
func (b *bench) printf(format string, args ...any) { fmt.Fprintf(b.out, "  "+format+"\n", args...) }

// nextRun names the leads of one measurement, so that no two have an email in common.
func (b *bench) nextRun() string {
	b.serial++
	return fmt.Sprintf("r%d", b.serial)
}

// writeFile writes what is to be beside the report.
func writeFile(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
