package devstack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endStray ends the Postgres that still runs on data after its parent died: on Linux it is just about to end by itself,
// elsewhere nobody told it. The caller holds data for itself, so no live parent can own it.
func endStray(ctx context.Context, data string) error {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return nil // a clean stop left none
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	pid, err := strconv.Atoi(string(bytes.TrimSpace(first)))
	if err != nil || pid <= 1 {
		return nil
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(10 * time.Second)
	for asked := false; runsOn(pid, data); {
		if !asked {
			syscall.Kill(pid, syscall.SIGQUIT)
			asked = true
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a Postgres (process %d) still runs on %s", pid, data)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// runsOn reports whether process pid is a Postgres on data, and not a stranger that got a dead one's number.
func runsOn(pid int, data string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		if _, noProc := os.Stat("/proc/self"); noProc == nil {
			return false
		}
		line, _ = exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	}
	return strings.Contains(string(line), "postgres") && strings.Contains(string(line), data)
}
