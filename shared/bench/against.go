package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"leadgate/shared/devstack"
)

// comparison is this checkout beside another.
type comparison struct {
	Version string           `json:"version"` // of the other
	Ratios  map[string]ratio `json:"ratios"`  // by the name of a figure
}

// ratio is a figure of this checkout divided by that of the other, round by round.
type ratio struct {
	This   []float64 `json:"this"`
	Other  []float64 `json:"other"`
	Min    float64   `json:"min"`
	Median float64   `json:"median"`
	Max    float64   `json:"max"`
	Unit   string    `json:"unit"`
}

// compare measures this checkout and another in turn, each time on stores of its own, and returns the last report of
// this one with the ratios. Each second round begins with the other, so that neither always has the warmer machine.
func compare(ctx context.Context, opt options, getenv func(string) string, this checkout, out io.Writer,
	p *progress) (*report, error) {
	dir, err := os.MkdirTemp("", "leadgate-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	other := checkout{root: opt.against, other: true}
	for name, c := range map[string]*checkout{"this": &this, "other": &other} {
		p.show("building gateway and worker of %s", c.root)
		c.bin = filepath.Join(dir, name)
		if err := devstack.Build(ctx, c.root, c.bin); err != nil {
			return nil, err
		}
	}
	rounds := opt.rounds
	opt.rounds = 1
	ours, theirs := make([]*report, rounds), make([]*report, rounds)
	for n := range rounds {
		sides := []struct {
			name string
			from checkout
		}{{"this", this}, {"other", other}}
		if n%2 == 1 {
			slices.Reverse(sides)
		}
		for _, s := range sides {
			fmt.Fprintf(out, "\nround %d of %d: %s\n", n+1, rounds, s.name)
			r, err := measure(ctx, opt, getenv, s.from, out, p)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			if s.from.other {
				theirs[n] = r
			} else {
				ours[n] = r
			}
		}
	}
	r := ours[rounds-1]
	r.Against = ratios(ours, theirs)
	r.printRatios(out)
	return r, nil
}

// ratios compares what both sides measured in every round, and is not 0 there.
func ratios(ours, theirs []*report) *comparison {
	c := &comparison{Version: theirs[0].Version, Ratios: map[string]ratio{}}
	for name, f := range ours[0].Figures {
		r := ratio{Unit: f.Unit}
		var each []float64
		for n := range ours {
			this, other := ours[n].Figures[name].Value, theirs[n].Figures[name].Value
			if this == 0 || other == 0 {
				break
			}
			r.This, r.Other, each = append(r.This, this), append(r.Other, other), append(each, this/other)
		}
		if len(each) == len(ours) {
			r.Min, r.Median, r.Max = slices.Min(each), median(each), slices.Max(each)
			c.Ratios[name] = r
		}
	}
	return c
}

// printRatios prints a table of the ratios, but for totals: they grow with what there was time for.
func (r *report) printRatios(out io.Writer) {
	fmt.Fprintf(out, "\nthis (%.12s) : other (%.12s), median of the rounds (lowest to highest)\n", r.Version,
		r.Against.Version)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, name := range r.names {
		x, there := r.Against.Ratios[name]
		last := name[strings.LastIndexByte(name, '.')+1:]
		if total := !strings.Contains(name, ".per_") && (last == "wal" || strings.Contains(name, ".cpu.")); !there || total {
			continue
		}
		fmt.Fprintf(t, "  %s\t%.4g : %.4g\t%s\t%.2f\t(%.2f to %.2f)\n", name, median(x.This), median(x.Other), x.Unit,
			x.Median, x.Min, x.Max)
	}
	t.Flush()
}
