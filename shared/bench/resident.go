package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"
)

// memoryFigures prints the most memory that the gateway, and then the worker, had.
func (b *bench) memoryFigures(name string, most []int64) {
	b.printf("the gateway had %.0f MB at most, the worker %.0f MB", float64(most[0])/1e6, float64(most[1])/1e6)
	b.figure(name, "gateway_memory", float64(most[0]), "bytes")
	b.figure(name, "worker_memory", float64(most[1]), "bytes")
}

// watchMemory looks at processes until the function that it returns is called, which returns the most each had.
func watchMemory(ctx context.Context, pids ...int) func() []int64 {
	ctx, cancel := context.WithCancel(ctx)
	most := make([]int64, len(pids))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			for i, pid := range pids {
				most[i] = max(most[i], resident(pid))
			}
			if wait(ctx, 50*time.Millisecond) != nil {
				return
			}
		}
	}()
	return func() []int64 {
		cancel()
		<-ended
		return most
	}
}

// resident is how much memory a process has, in bytes; 0 where /proc does not say.
func resident(pid int) int64 {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	f := strings.Fields(string(text))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
