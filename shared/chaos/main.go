// Command chaos proves the failure policy: it breaks whole private systems under load and then checks the ledger.
//
//	go run ./shared/chaos                      # every scenario
//	go run ./shared/chaos -short               # those of CI, in about a minute
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
	"strings"
	"sync"
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

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	opt, err := parse(args, out)
	if err != nil {
		return err
	}
	opt.getenv = getenv
	dir, err := os.MkdirTemp("", "leadgate-chaos-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := devstack.Root()
	if opt.programs != "" {
		root = filepath.Join(dir, "programs")
		err = checkout(ctx, opt.programs, root)
	}
	if err != nil {
		return err
	}
	opt.bin = filepath.Join(dir, "bin")
	if err := devstack.Build(ctx, root, opt.bin); err != nil {
		return err
	}
	fmt.Fprintf(out, "seed %d\n", opt.seed)
	var failed []error
	for o := range runAll(ctx, opt) {
		fmt.Fprintf(out, "%s: %s\n%s", o.name, o.what, o.report)
		switch {
		case errors.Is(o.err, errNotHere):
			fmt.Fprintf(out, "  not run: %v\n", o.err)
		case o.err != nil:
			fmt.Fprintf(out, "  VIOLATED: %s\n", strings.ReplaceAll(o.err.Error(), "\n", "\n            "))
			failed = append(failed, fmt.Errorf("%s: %w", o.name, o.err))
		default:
			fmt.Fprintf(out, "  the ledger balances, after %v\n", o.took.Round(time.Second))
		}
	}
	return errors.Join(errors.Join(failed...), ctx.Err())
}

// outcome is what came of a scenario.
type outcome struct {
	scenario
	report string
	err    error
	took   time.Duration
}

// runAll runs the scenarios and gives their outcomes as they end. Several are under way at once where opt says so,
// because they mostly wait for what is taken over, but only opt.atOnce of them are loaded at a time.
func runAll(ctx context.Context, opt options) <-chan outcome {
	outcomes := make(chan outcome, len(opt.scenarios))
	go func() {
		var all sync.WaitGroup
		slots := make(chan struct{}, max(1, opt.atOnce))
		for _, s := range opt.scenarios {
			slots <- struct{}{}
			opt, leave := opt, sync.OnceFunc(func() { <-slots })
			opt.loaded = leave
			if opt.atOnce == 0 {
				opt.loaded = func() {}
			}
			all.Go(func() {
				defer leave()
				began := time.Now()
				r, err := s.run(ctx, opt)
				outcomes <- outcome{s, r, err, time.Since(began)}
			})
		}
		all.Wait()
		close(outcomes)
	}()
	return outcomes
}
