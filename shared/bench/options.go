package main

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadgate/shared/leadfile"
)

// options are the flags.
type options struct {
	scenarios []string
	conns     []int // of closed loops
	rates     []int // leads a second of sustained
	quietly   []int // leads a second of quiet
	duration  time.Duration
	idling    time.Duration // of idle
	rounds    int
	backlog   int // deliveries of drain, fanout and horizon
	rows      int // of the file of import
	large     int // deliveries of memory and neighbour
	crowd     int // leads of million and export
	giant     int // leads of big
	tenants   int // workspaces of spread
	robots    int // posts of flood
	top       int // statements and commands that are shown
	json      bool
	svg       string // file of the plot of open; "": none
	against   string // another checkout; "": none
	rowsDSN   string // serve the row-by-row handler on this database

	steady time.Duration // neighbour and quiet measure for so long at least: little is posted
	sweeps time.Duration // what memory waits for
	quick  bool          // on stores that do not survive the machine's crash
}

// shortly is what -short sets of what is not given.
func shortly() map[string]string {
	return map[string]string{"duration": "1s", "rounds": "1", "backlog": "5000", "rows": "10000", "large": "20000",
		"crowd": "20000", "big": "100000", "workspaces": "200", "robots": "5000", "idle": "5s"}
}

func parse(args []string) (opt options, err error) {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	which := f.String("scenarios", strings.Join(names, ","), "which to run")
	conns := f.String("conns", "64,256", "connections of the closed loops")
	rates := f.String("rates", "10,500,3000", "leads a second of sustained")
	quietly := f.String("quiet", "50,200,500", "leads a second of quiet")
	short := f.Bool("short", false, "sizes and times of a few seconds a scenario, for counts; what is given counts")
	f.DurationVar(&opt.duration, "duration", 4*time.Second,
		"of one measurement, at most 1m; 10s at least in neighbour, quiet and spread, unless -short")
	f.DurationVar(&opt.idling, "idle", 30*time.Second, "how long idle looks, at most 10m")
	f.IntVar(&opt.rounds, "rounds", 3, "of each comparison, interleaved; the median counts")
	f.IntVar(&opt.backlog, "backlog", 50_000, "deliveries of drain, fanout and horizon, a multiple of 1000")
	f.IntVar(&opt.rows, "rows", 200_000, "of the file of import, 1000 to 1000000")
	f.IntVar(&opt.large, "large", 500_000, "deliveries that wait in memory and neighbour")
	f.IntVar(&opt.crowd, "crowd", 1_000_000, "leads of million and export")
	f.IntVar(&opt.giant, "big", 10_000_000, "leads of big, 1000 to 100000000")
	f.IntVar(&opt.tenants, "workspaces", 1000, "of spread and mixed, and beside that of console, 2 to 10000")
	f.IntVar(&opt.robots, "robots", 1_000_000, "posts of flood, 1000 to 10000000")
	f.IntVar(&opt.top, "top", 0, "how many of the statements and Redis commands that are called most to show")
	f.BoolVar(&opt.json, "json", false, "write all figures as one JSON document; the report for people goes to stderr")
	f.StringVar(&opt.svg, "svg", "", "write the plot of latency against load, of open, to this `file`")
	f.StringVar(&opt.against, "against", "", "alternate with the gateway and worker of the checkout in this `directory`, "+
		"-rounds times, and print the ratios")
	f.StringVar(&opt.rowsDSN, "serve-rows", "", "internal: serve the row-by-row handler on this database")
	if err := f.Parse(args); err != nil {
		return opt, err
	}
	opt.steady, opt.sweeps = 10*time.Second, 5*time.Second
	if *short {
		opt.steady, opt.sweeps = 2*time.Second, time.Second
		if err := shorten(f); err != nil {
			return opt, err
		}
	}
	opt.scenarios = strings.Split(*which, ",")
	for _, s := range opt.scenarios {
		if !slices.Contains(names, s) {
			return opt, fmt.Errorf("-scenarios: %q is none of %s", s, strings.Join(names, ", "))
		}
	}
	for _, list := range []struct {
		name, text string
		top        int
		into       *[]int
	}{{"conns", *conns, 4096, &opt.conns}, {"rates", *rates, 20_000, &opt.rates}, {"quiet", *quietly, 5000, &opt.quietly}} {
		if *list.into, err = numbers(list.name, list.text, list.top); err != nil {
			return opt, err
		}
	}
	return opt, opt.check()
}

// shorten sets what -short does, of what is not given.
func shorten(f *flag.FlagSet) error {
	values := shortly()
	f.Visit(func(given *flag.Flag) { delete(values, given.Name) })
	for name, value := range values {
		if err := f.Set(name, value); err != nil {
			return fmt.Errorf("-short: %w", err)
		}
	}
	return nil
}

func (o *options) check() error {
	if o.duration <= 0 || o.duration > time.Minute || o.idling <= 0 || o.idling > 10*time.Minute {
		return fmt.Errorf("-duration wants up to 1m and -idle up to 10m")
	}
	for _, n := range []struct {
		name           string
		value, low, up int
	}{
		{"rounds", o.rounds, 1, 50}, {"robots", o.robots, 1000, 10_000_000}, {"crowd", o.crowd, 1000, 20_000_000},
		{"big", o.giant, 1000, 100_000_000}, {"workspaces", o.tenants, 2, 10_000}, {"rows", o.rows, 1000, leadfile.MaxRows},
		{"backlog", o.backlog, 1000, 5_000_000}, {"large", o.large, 1000, 5_000_000}, {"top", o.top, 0, 1000},
	} {
		if n.value < n.low || n.value > n.up {
			return fmt.Errorf("-%s wants %d to %d", n.name, n.low, n.up)
		}
	}
	if o.backlog%1000 != 0 {
		return fmt.Errorf("-backlog wants whole thousands")
	}
	return nil
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
