package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cpu is the processor time of each part of the system so far, in microseconds. Rates move with what else the machine
// does; this hardly does. It is read from /proc; where there is none it is empty.
type cpu map[string]float64

// parts are the parts of the system, in the order in which they are shown.
func parts() []string { return []string{"gateway", "worker", "postgres", "redis", "client"} }

const tick = 1e6 / 100 // microseconds; USER_HZ is 100 on every Linux there is

func (b *bench) cpu() cpu {
	partOf := map[string]string{strconv.Itoa(os.Getpid()): "client", strconv.Itoa(b.Gateway().PID()): "gateway"}
	for _, w := range b.Workers() {
		partOf[strconv.Itoa(w.PID())] = "worker"
	}
	stores := map[string]bool{} // processes whose children are part of them
	if b.Postgres != nil {
		pid := strconv.Itoa(b.Postgres.PID())
		partOf[pid], stores[pid] = "postgres", true
	}
	if b.Redis != nil && b.Redis.PID() != 0 { // the stand-in is a part of this process
		pid := strconv.Itoa(b.Redis.PID())
		partOf[pid], stores[pid] = "redis", true
	}
	used := cpu{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		// After the name in parentheses: state, ppid, ..., utime, stime and those of children that have ended are the
		// 12th to 15th.
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		pid, parent := filepath.Base(filepath.Dir(file)), f[1]
		switch {
		case partOf[pid] != "":
			used[partOf[pid]] += ticks(f[11]) + ticks(f[12])
			if stores[pid] {
				used[partOf[pid]] += ticks(f[13]) + ticks(f[14])
			}
		case stores[parent]:
			used[partOf[parent]] += ticks(f[11]) + ticks(f[12])
		}
	}
	return used
}

func ticks(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n * tick
}

// since is what was used since before.
func (c cpu) since(before cpu) cpu {
	used := cpu{}
	for part, us := range c {
		used[part] = us - before[part]
	}
	return used
}

// but is what all parts used together, but for one.
func (c cpu) but(one string) (sum float64) {
	for part, us := range c {
		if part != one {
			sum += us
		}
	}
	return sum
}
