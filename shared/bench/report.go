package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// figure is one measured number. Its name stays the same from version to version: scenario, case and metric, with dots
// between them.
type figure struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// report is all that one run measured.
type report struct {
	Version string                `json:"version"` // of gateway and worker
	Go      string                `json:"go"`
	CPUs    int                   `json:"cpus"`
	Figures map[string]figure     `json:"figures"`
	Calls   map[string]calledMost `json:"calls,omitempty"` // by case, see -top
	Against *comparison           `json:"against,omitempty"`
	names   []string              // of figures, in the order in which they were measured
	rows    []row                 // of the scenario that runs
}

// calledMost is what was called most in one case.
type calledMost struct {
	Per        string  `json:"per"` // what Statements and Commands are divided by: "lead"
	N          int     `json:"n"`
	Statements []calls `json:"statements"`
	Commands   []calls `json:"commands"`
}

// row is a row of the table of what a scenario used.
type row struct {
	name string
	usage
	per
}

// per is what a usage is divided by: so many leads, or deliveries.
type per struct {
	n    int
	what string
}

func newReport(version string) *report {
	return &report{Version: version, Go: runtime.Version(), CPUs: runtime.NumCPU(), Figures: map[string]figure{},
		Calls: map[string]calledMost{}}
}

// figure notes a number of the scenario that runs; name is the case, which may be "", and metric.
func (b *bench) figure(name, metric string, value float64, unit string) {
	full := b.scenario + "." + metric
	if name != "" {
		full = b.scenario + "." + slug(name) + "." + metric
	}
	if _, there := b.report.Figures[full]; !there {
		b.report.names = append(b.report.names, full)
	}
	b.report.Figures[full] = figure{value, unit}
}

// slug makes a part of a figure's name of what people read.
func slug(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "_")
}

// figures notes the rate and the latencies of a load.
func (b *bench) figures(name string, r *result) {
	b.figure(name, "rate", r.rate(), "1/s")
	for _, p := range []struct {
		metric string
		of     float64
	}{{"p50", .50}, {"p99", .99}, {"max", 1}} {
		b.figure(name, p.metric, milliseconds(r.percentile(p.of)), "ms")
	}
	for status, n := range r.other {
		b.figure(name, fmt.Sprintf("status_%d", status), float64(n), "answers")
	}
}

// used notes what a case used, once for each of what there is so much of.
func (b *bench) used(name string, u usage, all ...per) {
	for _, part := range parts() {
		if us, there := u.cpu[part]; there {
			b.figure(name, "cpu."+part, us/1e6, "s")
		}
	}
	b.figure(name, "wal", float64(u.wal), "bytes")
	for _, p := range all {
		if p.n == 0 {
			continue
		}
		b.report.rows = append(b.report.rows, row{name, u, p})
		for _, c := range usageColumns() {
			if value, counted := c.of(&u); counted && c.metric != "" {
				b.figure(name, "per_"+p.what+"."+c.metric, value/float64(p.n), c.unit)
			}
		}
	}
	if b.top > 0 && len(all) > 0 {
		m := calledMost{all[0].what, all[0].n, most(u.statements, b.top), most(u.commands, b.top)}
		b.report.Calls[b.scenario+"."+slug(name)] = m
	}
}

// column is one of the table of what was used.
type column struct {
	head, metric, unit, format string
	of                         func(*usage) (value float64, counted bool)
}

func usageColumns() []column {
	all := []column{
		{"CPU µs", "cpu.all", "µs", "%.0f", func(u *usage) (float64, bool) { return u.cpu.but(""), len(u.cpu) > 0 }},
		{"", "cpu.system", "µs", "", func(u *usage) (float64, bool) { return u.cpu.but("client"), len(u.cpu) > 0 }},
	}
	for _, part := range parts() {
		all = append(all, column{part, "cpu." + part, "µs", "%.0f", func(u *usage) (float64, bool) {
			return u.cpu[part], len(u.cpu) > 0
		}})
	}
	return append(all,
		column{"SQL", "sql", "statements", "%.3f", func(u *usage) (float64, bool) {
			return float64(total(u.statements)), u.statements != nil
		}},
		column{"commits", "commits", "transactions", "%.3f", func(u *usage) (float64, bool) {
			return float64(u.commits), u.walRead
		}},
		column{"dead rows", "dead", "row versions", "%.2f", func(u *usage) (float64, bool) {
			return float64(u.dead), u.walRead
		}},
		column{"WAL bytes", "wal", "bytes", "%.0f", func(u *usage) (float64, bool) { return float64(u.wal), true }},
		column{"of pages", "wal_pages", "bytes", "%.0f", func(u *usage) (float64, bool) {
			return float64(u.pages), u.walRead
		}},
		column{"Redis", "redis", "commands", "%.2f", func(u *usage) (float64, bool) {
			return float64(total(u.commands)), u.commands != nil
		}})
}

// printUsage prints the table of what the scenario used, and what it called most.
func (b *bench) printUsage() {
	if len(b.report.rows) == 0 {
		return
	}
	t := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := []string{"  used by", "for each of", ""}
	for _, c := range usageColumns() {
		if c.head != "" {
			line = append(line, c.head)
		}
	}
	fmt.Fprintln(t, strings.Join(line, "\t")+"\t")
	for i := range b.report.rows {
		r := &b.report.rows[i]
		line := []string{"  " + r.name, fmt.Sprint(r.n), r.what}
		for _, c := range usageColumns() {
			value, counted := c.of(&r.usage)
			switch {
			case c.head == "":
			case counted:
				line = append(line, fmt.Sprintf(c.format, value/float64(r.n)))
			default:
				line = append(line, "–")
			}
		}
		fmt.Fprintln(t, strings.Join(line, "\t")+"\t")
	}
	t.Flush()
	for i := range b.report.rows {
		if r := &b.report.rows[i]; i == 0 || r.name != b.report.rows[i-1].name {
			b.printMost(r)
		}
	}
	b.report.rows = nil
}

// textWidth is how much of a statement is shown.
const textWidth = 100

func (b *bench) printMost(r *row) {
	if b.top == 0 {
		return
	}
	b.printf("called most by %s, per %s, and how many µs in the store", r.name, r.what)
	for _, c := range slices.Concat(most(r.statements, b.top), most(r.commands, b.top)) {
		text := []rune(c.Text)
		b.printf("  %9.4f  %8.2f  %s", float64(c.N)/float64(r.n), c.Micros/float64(r.n),
			string(text[:min(len(text), textWidth)]))
	}
}

// most returns the n that were called most.
func most(all map[string]calls, n int) []calls {
	list := []calls{}
	for _, c := range all {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b calls) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Text, b.Text)) })
	return list[:min(n, len(list))]
}

// writeJSON writes the report as one document.
func (r *report) writeJSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "\t")
	return e.Encode(r)
}
