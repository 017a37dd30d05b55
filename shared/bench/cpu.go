package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cpu is the processor time of each part of the system so far, in microseconds. Rates move with what else the machine
// does; this hardly does. It is read from /proc; where there is none it is empty.
type cpu map[string]float64

const tick = 1e6 / 100 // microseconds; USER_HZ is 100 on every Linux there is

func (b *bench) cpu() cpu {
	parts := map[string]string{strconv.Itoa(os.Getpid()): "client", strconv.Itoa(b.Gateway().PID()): "gateway"}
	for _, w := range b.Workers() {
		parts[strconv.Itoa(w.PID())] = "worker"
	}
	if b.Postgres != nil {
		parts[strconv.Itoa(b.Postgres.PID())] = "postgres"
	}
	if b.Redis != nil {
		parts[strconv.Itoa(b.Redis.PID())] = "redis"
	}
	used := cpu{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		// After the name in parentheses: state, ppid, ..., utime and stime are the 12th and 13th.
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		part := parts[filepath.Base(filepath.Dir(file))]
		if part == "" && parts[f[1]] == "postgres" { // a backend is the postmaster's child
			part = "postgres"
		}
		if part != "" {
			user, _ := strconv.ParseFloat(f[11], 64)
			system, _ := strconv.ParseFloat(f[12], 64)
			used[part] += (user + system) * tick
		}
	}
	return used
}

// per returns what was used since before, for each of n, which are called what.
func (c cpu) per(before cpu, n int, what string) string {
	if len(c) == 0 || n == 0 {
		return ""
	}
	var parts []string
	sum := 0.0
	for _, part := range []string{"gateway", "postgres", "redis", "worker", "client"} {
		us := (c[part] - before[part]) / float64(n)
		sum += us
		parts = append(parts, fmt.Sprintf("%s %.0f", part, us))
	}
	return fmt.Sprintf("CPU per %s %.0f µs: %s", what, sum, strings.Join(parts, ", "))
}
