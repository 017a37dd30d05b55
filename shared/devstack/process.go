package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a child that can be started, stopped, killed and started again. It does not outlive us where the system
// can see to that (Linux).
type Process struct {
	Name string

	make       func() *exec.Cmd // a fresh command for each start
	out        io.Writer        // its standard output and error; nil: only the tail is kept
	ready      func(ctx context.Context, pid int) error
	stopSignal syscall.Signal                   // asks it to finish what it does
	killSignal syscall.Signal                   // ends it at once
	onExit     func(p *Process, how error)      // nil, or called at an end nobody asked for
	setAttr    func(*syscall.SysProcAttr) error // nil, or e.g. sets another user

	mu  sync.Mutex
	run *running // nil: never started
}

// running is one life of a process.
type running struct {
	cmd   *exec.Cmd
	done  chan struct{}
	err   error // how it ended; read after done
	tail  tail
	asked bool // Stop or Kill was called; guarded by Process.mu
}

// stopGrace is how long Stop waits before it ends a process the hard way.
const stopGrace = 30 * time.Second

// Start starts the process and returns when it is ready, or with the reason why it will not be.
func (p *Process) Start(ctx context.Context) error {
	p.mu.Lock()
	if p.run != nil && !p.run.over() {
		p.mu.Unlock()
		return fmt.Errorf("%s: already running", p.Name)
	}
	r, err := p.launch()
	if err == nil {
		p.run = r
	}
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	if err := p.awaitReady(ctx, r); err != nil {
		p.end(r, p.killSignal)
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	go p.watch(r)
	return nil
}

// launch forks on a thread that lives as long as the child: Linux sends the parent-death signal when the forking
// *thread* ends.
func (p *Process) launch() (*running, error) {
	r := &running{cmd: p.make(), done: make(chan struct{})}
	r.cmd.Stdout = io.Writer(&r.tail)
	if p.out != nil {
		r.cmd.Stdout = io.MultiWriter(&r.tail, p.out)
	}
	r.cmd.Stderr = r.cmd.Stdout
	r.cmd.WaitDelay = 2 * time.Second // a grandchild may hold the pipe
	// A group of its own, so that Ctrl-C reaches only us and we stop things in order.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	setDeathSignal(r.cmd.SysProcAttr, p.killSignal)
	if p.setAttr != nil {
		if err := p.setAttr(r.cmd.SysProcAttr); err != nil {
			return nil, err
		}
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := r.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		r.err = r.cmd.Wait()
		close(r.done)
	}()
	return r, <-started
}

func (r *running) over() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func (p *Process) awaitReady(ctx context.Context, r *running) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		try, stop := context.WithTimeout(ctx, 5*time.Second)
		last := p.ready(try, r.cmd.Process.Pid)
		stop()
		if last == nil {
			return nil
		}
		select {
		case <-r.done:
			return r.how()
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w: %w%s", ctx.Err(), last, r.tail.text())
		case <-tick.C:
		}
	}
}

// how says how a process ended and what it said last.
func (r *running) how() error { return errors.New(r.end() + r.tail.text()) }

func (r *running) end() string {
	if r.err != nil {
		return "ended: " + r.err.Error()
	}
	return "ended by itself"
}

func (p *Process) watch(r *running) {
	<-r.done
	p.mu.Lock()
	asked := r.asked
	p.mu.Unlock()
	switch {
	case asked || p.onExit == nil:
	case p.out != nil:
		p.onExit(p, errors.New(r.end())) // what it said was seen
	default:
		p.onExit(p, r.how())
	}
}

// Stop asks the process to finish and waits until it has; after half a minute it is ended. Its error is a bad exit
// code.
func (p *Process) Stop() error { return p.end(p.current(), p.stopSignal) }

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() error {
	p.end(p.current(), p.killSignal)
	return nil
}

func (p *Process) current() *running {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

func (p *Process) end(r *running, sig syscall.Signal) error {
	if r == nil {
		return nil
	}
	p.mu.Lock()
	r.asked = true
	p.mu.Unlock()
	if r.over() {
		return nil
	}
	r.cmd.Process.Signal(sig)
	select {
	case <-r.done:
	case <-time.After(stopGrace):
		r.cmd.Process.Kill()
		<-r.done
		return fmt.Errorf("stop %s: still there after %s, killed", p.Name, stopGrace)
	}
	if sig == p.stopSignal && r.err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, r.how())
	}
	return nil
}

// Restart stops the process and starts it again.
func (p *Process) Restart(ctx context.Context) error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.Start(ctx)
}

// PID is the process id, 0 when it does not run.
func (p *Process) PID() int {
	r := p.current()
	if r == nil || r.over() {
		return 0
	}
	return r.cmd.Process.Pid
}

// tail keeps the last lines a process wrote, for error messages.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 2000

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := bytes.TrimSpace(t.buf); len(text) > 0 {
		return "; it said:\n" + string(text)
	}
	return ""
}
