package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"leadgate/shared/client"
)

// progress shows how far an import is: on a terminal as a bar in one line, else as a line now and then.
type progress struct {
	out   io.Writer
	bar   bool
	every time.Duration
	last  string // what was shown last: of lines, the step
	drawn bool   // the terminal's line is not ended
}

const barWidth = 30

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, every: time.Second}
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.bar, p.every = true, 100*time.Millisecond
		}
	}
	return p
}

// upload shows how much of a file was sent; size below 0 is unknown.
func (p *progress) upload(sent, size int64) {
	part := -1.0
	text := fmt.Sprintf("%.1f MB", float64(sent)/1e6)
	if size > 0 {
		part = float64(sent) / float64(size)
		text = fmt.Sprintf("%.1f of %.1f MB", float64(sent)/1e6, float64(size)/1e6)
	}
	p.show("Uploading", part, text)
}

// rows shows how much of a file was imported.
func (p *progress) rows(i client.Import, since time.Duration) {
	text := fmt.Sprintf("%d rows", i.Rows)
	if seconds := since.Seconds(); i.Rows > 0 && seconds >= 1 {
		text += fmt.Sprintf(", %.0f/s", float64(i.Rows)/seconds)
	}
	p.show("Importing", i.Progress, text)
}

func (p *progress) show(what string, part float64, text string) {
	if !p.bar {
		step := what
		if part >= 0 {
			step += fmt.Sprintf(" %3d %%", int(part*10)*10)
		}
		if step != p.last {
			p.last = step
			fmt.Fprintf(p.out, "%s, %s\n", step, text)
		}
		return
	}
	line := fmt.Sprintf("%s %s", what, text)
	if part >= 0 {
		full := min(int(part*barWidth), barWidth)
		line = fmt.Sprintf("%s [%s%s] %3d %%  %s", what, strings.Repeat("#", full), strings.Repeat(".", barWidth-full),
			int(part*100), text)
	}
	fmt.Fprintf(p.out, "\r%-*s", len(p.last), line)
	p.last, p.drawn = line, true
}

// end ends the bar's line.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprintln(p.out)
		p.drawn = false
	}
}
