package main

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// asProgram has the test's own binary be the program, because only a process of its own can be ended by a signal.
const asProgram = "LEADGATE_TEST_AS_PROGRAM"

func TestAsProgram(t *testing.T) {
	if os.Getenv(asProgram) == "" {
		t.Skip("it is a part of TestHangupWhilePostgresIsAwaited")
	}
	ctx, cancel := context.WithCancel(t.Context())
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() { <-term; cancel() }()
	if err := run(ctx, nil, os.Getenv, os.Stdout); err == nil || !strings.Contains(err.Error(), "connect to Postgres") {
		t.Fatalf("run() = %v, want that Postgres was not reached", err)
	}
}

// SIGHUP ends nothing, also before Postgres is reached; SIGTERM does.
func TestHangupWhilePostgresIsAwaited(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAsProgram$", "-test.v")
	program.Env = append(os.Environ(), asProgram+"=1")
	for name, value := range environment("postgres://nobody@"+silent.Addr().String()+"/none", "redis://127.0.0.1:1") {
		program.Env = append(program.Env, name+"="+value)
	}
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "waiting for Postgres") {
			for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGHUP, syscall.SIGTERM} {
				if err := program.Process.Signal(s); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if err := program.Wait(); err != nil {
		t.Errorf("the program ended with %v, want it to end by SIGTERM:\n%s", err, said.String())
	}
}
