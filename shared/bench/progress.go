package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// progress shows on a terminal what goes on, in one line that the next output overwrites. It is nil where there is no
// terminal.
type progress struct {
	terminal io.Writer
	begin    time.Time

	mu    sync.Mutex
	shown bool
}

// newProgress returns nil unless file is a terminal.
func newProgress(file *os.File) *progress {
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return &progress{terminal: file, begin: time.Now()}
}

// show says what goes on from now on.
func (p *progress) show(format string, args ...any) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.terminal, "\r\x1b[K%4.0f s  %s", time.Since(p.begin).Seconds(), fmt.Sprintf(format, args...))
	p.shown = true
}

// clear takes the line away.
func (p *progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.terminal, "\r\x1b[K")
	}
	p.shown = false
}

// beside returns a writer to out that takes the line away first: both may be one terminal.
func (p *progress) beside(out io.Writer) io.Writer { return &afterClear{p, out} }

type afterClear struct {
	p   *progress
	out io.Writer
}

func (a *afterClear) Write(b []byte) (int, error) {
	a.p.clear()
	return a.out.Write(b)
}
