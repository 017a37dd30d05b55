package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// errUsage is a mistake on the command line; flag has printed it.
var errUsage = errors.New("usage")

// options are the flags, and where the programs are.
type options struct {
	scenarios      []scenario
	duration       time.Duration // of the load, half of which is the outage
	conns          int
	rate           int    // posts a second, together
	backlog        int    // deliveries that wait when a drain begins
	retries        int    // leads that are posted under keys
	rows           int    // of a file that is imported
	posts          int    // of a form
	programs       string // the revision whose gateway and worker are broken; "": the working tree's
	formerRevision string // which runs before an upgrade; "": the last with the released schema
	cuts           int    // of the power
	seed           uint64 // of what is chosen at random
	atOnce         int    // scenarios that are loaded at a time, while others wait; 0: one is under way at a time
	logs           string

	bin       string
	newDir    func(context.Context) (string, error) // makes a system's directory; nil: Start does
	inProcess bool                                  // the stand-in for Redis even where there is a redis-server
	loaded    func()                                // called when the load is over, and what follows is waiting
	getenv    func(string) string
}

// full are the sizes that prove something, and short those with which the short scenarios take a minute.
func (o *options) full() {
	o.duration, o.conns, o.rate = 10*time.Second, 32, 400
	o.backlog, o.retries, o.rows, o.cuts, o.posts = 50_000, 10_000, 1_000_000, 50, 100_000
}

func (o *options) short() {
	o.duration, o.conns, o.rate = 3*time.Second, 16, 150
	o.backlog, o.retries, o.rows, o.cuts, o.posts = 1000, 500, 20_000, 4, 1500
	o.scenarios, o.atOnce = shortScenarios(), 2
}

// random returns what the n-th part of a scenario chooses by: the same for the same seed.
func (o *options) random(n int) *rand.Rand { return rand.New(rand.NewPCG(o.seed, uint64(n))) }

func parse(args []string, out io.Writer) (opt options, err error) {
	opt.full()
	opt.scenarios = scenarios()
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.SetOutput(out)
	f.BoolFunc("short", "run those of CI, with small sizes; flags after this one hold all the same",
		func(string) error { opt.short(); return nil })
	f.Func("scenarios", "which to run, in this order, by their `names` with commas: "+names(opt.scenarios)+" (default all)",
		func(which string) (err error) { opt.scenarios, err = choose(which); return err })
	f.DurationVar(&opt.duration, "duration", opt.duration, "of a scenario's load, 2s to 5m; the outage is half of it")
	f.IntVar(&opt.conns, "conns", opt.conns, "connections that post leads, 1 to 1024")
	f.IntVar(&opt.rate, "rate", opt.rate, "posts a second on all connections together, 1 to 20000")
	f.IntVar(&opt.backlog, "backlog", opt.backlog, "deliveries that wait when a drain begins, 100 to 1000000")
	f.IntVar(&opt.retries, "retries", opt.retries, "leads that are posted under keys until they have an answer, 100 to 1000000")
	f.IntVar(&opt.rows, "rows", opt.rows, "of a file that is imported, 10000 to 1000000")
	f.IntVar(&opt.posts, "posts", opt.posts, "of a form, 100 to 1000000")
	f.IntVar(&opt.cuts, "cuts", opt.cuts, "of the power, 1 to 1000")
	f.StringVar(&opt.programs, "programs", "", "break gateway and worker of this `revision` instead of the working tree's: a checker must see what was wrong there")
	f.StringVar(&opt.formerRevision, "former", "", "the `revision` that runs before an upgrade (default the last one with the released schema)")
	unsafe := f.String("unsafe", "", "turn this `setting` of Postgres off, fsync or synchronous_commit: power-cut must see what is lost then")
	f.Uint64Var(&opt.seed, "seed", rand.Uint64(), "of what is chosen at random; each run prints its own")
	f.StringVar(&opt.logs, "logs", "", "keep what the parts said in this `directory`")
	if err := f.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			err = errUsage
		}
		return opt, err
	}
	if f.NArg() > 0 || opt.duration < 2*time.Second || opt.duration > 5*time.Minute || opt.conns < 1 || opt.conns > 1024 ||
		opt.rate < 1 || opt.rate > 20_000 || opt.backlog < 100 || opt.backlog > 1_000_000 || opt.retries < 100 ||
		opt.retries > 1_000_000 || opt.rows < 10_000 || opt.rows > 1_000_000 || opt.posts < 100 ||
		opt.posts > 1_000_000 || opt.cuts < 1 || opt.cuts > 1000 ||
		!slices.Contains([]string{"", "fsync", "synchronous_commit"}, *unsafe) {
		fmt.Fprintln(out, "want no arguments beside flags, and those within their limits (-help)")
		return opt, errUsage
	}
	for i := range opt.scenarios {
		opt.scenarios[i].unsafe = *unsafe
	}
	return opt, nil
}

// choose returns the scenarios of the names.
func choose(which string) (chosen []scenario, err error) {
	all := scenarios()
	for name := range strings.SplitSeq(which, ",") {
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("%q is none of %s", name, names(all))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func names(of []scenario) string {
	var all []string
	for _, s := range of {
		all = append(all, s.name)
	}
	return strings.Join(all, ",")
}
