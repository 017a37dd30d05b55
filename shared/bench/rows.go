package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// startRows starts the row-by-row handler in a process of its own, as leadgate's is; where speed does not matter, in
// this one.
func (b *bench) startRows(ctx context.Context) (addr string, stop func(), err error) {
	if b.quick {
		ctx, cancel := context.WithCancel(ctx)
		listens := make(chan string, 1)
		go b.base.serveRows(ctx, listens)
		return <-listens, cancel, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, self, "-serve-rows", uncounted(b.DatabaseURL))
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return "", nil, err
	}
	stop = func() { cancel(); cmd.Wait() }
	line, err := bufio.NewReader(pipe).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("row-by-row handler: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}

// serveRows is that process; it ends with its parent's signal, or after ten minutes.
func serveRows(ctx context.Context, dsn string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	base, err := openBaseline(ctx, dsn)
	if err != nil {
		return err
	}
	addr := make(chan string, 1)
	go func() { fmt.Fprintln(out, <-addr) }()
	return base.serveRows(ctx, addr)
}
