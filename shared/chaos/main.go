// Command chaos proves the failure policy: it breaks whole private systems under load and then checks the ledger.
//
//	go run ./shared/chaos                      # every scenario
//	go run ./shared/chaos -scenarios redis-stop,postgres-stop -duration 20s -conns 64
//	go run ./shared/chaos -scenarios drain-worker-kill,drain-flush,drain-postgres -backlog 50000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"leadgate/shared/devstack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends us at once, and the children with us
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return
	case errors.Is(err, errUsage):
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "chaos:", err)
	os.Exit(1)
}

// errUsage is a mistake on the command line; flag has printed it.
var errUsage = errors.New("usage")

// options are the flags, and where the programs are.
type options struct {
	scenarios []scenario
	duration  time.Duration // of the load, half of which is the outage
	conns     int
	rate      int // posts a second, together
	backlog   int // deliveries that wait when a drain begins
	retries   int // leads that are posted under keys
	rows      int // of a file that is imported
	logs      string

	bin       string
	newDir    func(context.Context) (string, error) // makes a system's directory; nil: Start does
	inProcess bool                                  // the stand-in for Redis even where there is a redis-server
	loaded    func()                                // called when the load is over, and what follows is waiting
	getenv    func(string) string
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	opt, err := parse(args, out)
	if err != nil {
		return err
	}
	opt.getenv, opt.loaded = getenv, func() {}
	dir, err := os.MkdirTemp("", "leadgate-chaos-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := devstack.Root()
	if err != nil {
		return err
	}
	opt.bin = filepath.Join(dir, "bin")
	if err := devstack.Build(ctx, root, opt.bin); err != nil {
		return err
	}
	var failed []error
	for _, s := range opt.scenarios {
		fmt.Fprintf(out, "%s: %s\n", s.name, s.what)
		r, err := s.run(ctx, opt)
		fmt.Fprint(out, r)
		if errors.Is(err, errStandIn) {
			fmt.Fprintf(out, "  not run: %v\n", err)
			continue
		}
		if err != nil {
			fmt.Fprintf(out, "  VIOLATED: %s\n", strings.ReplaceAll(err.Error(), "\n", "\n            "))
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
			continue
		}
		fmt.Fprintln(out, "  the ledger balances")
	}
	return errors.Join(errors.Join(failed...), ctx.Err())
}

func parse(args []string, out io.Writer) (opt options, err error) {
	all := scenarios()
	var names []string
	for _, s := range all {
		names = append(names, s.name)
	}
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.SetOutput(out)
	which := f.String("scenarios", strings.Join(names, ","), "which to run, in this order")
	f.DurationVar(&opt.duration, "duration", 10*time.Second, "of a scenario's load, 2s to 5m; the outage is half of it")
	f.IntVar(&opt.conns, "conns", 32, "connections that post leads, 1 to 1024")
	f.IntVar(&opt.rate, "rate", 400, "posts a second on all connections together, 1 to 20000")
	f.IntVar(&opt.backlog, "backlog", 50_000, "deliveries that wait when a drain begins, 100 to 1000000")
	f.IntVar(&opt.retries, "retries", 10_000, "leads that are posted under keys until they have an answer, 100 to 1000000")
	f.IntVar(&opt.rows, "rows", 1_000_000, "of a file that is imported, 10000 to 1000000")
	f.StringVar(&opt.logs, "logs", "", "keep what the parts violated in this `directory`")
	if err := f.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			err = errUsage
		}
		return opt, err
	}
	for name := range strings.SplitSeq(*which, ",") {
		i := slices.Index(names, name)
		if i < 0 {
			fmt.Fprintf(out, "-scenarios: %q is none of %s\n", name, strings.Join(names, ", "))
			return opt, errUsage
		}
		opt.scenarios = append(opt.scenarios, all[i])
	}
	if f.NArg() > 0 || opt.duration < 2*time.Second || opt.duration > 5*time.Minute || opt.conns < 1 || opt.conns > 1024 ||
		opt.rate < 1 || opt.rate > 20_000 || opt.backlog < 100 || opt.backlog > 1_000_000 || opt.retries < 100 ||
		opt.retries > 1_000_000 || opt.rows < 10_000 || opt.rows > 1_000_000 {
		fmt.Fprintln(out, "want no arguments beside flags, and those within their limits (-help)")
		return opt, errUsage
	}
	return opt, nil
}
