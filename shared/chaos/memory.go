package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"leadgate/shared/lead"
	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

const (
	smallMemory = 256 << 20 // bytes, of the container for which the gateway and the worker are started
	peakMargin  = 16 << 20  // what a peak may be above that: stacks and allocators' own count in it, and not in the limit

	attackers     = 8   // tenants that upload
	attackerConns = 16  // of each
	hoarders      = 3   // of them: those whose endpoints hang; the others post large leads too
	hoardedLeads  = 130 // of each hoarder, for all its endpoints
)

// attacks are the scenarios in which tenants try to use up what all share.
func attacks() []scenario {
	return []scenario{
		{name: "memory",
			what: fmt.Sprintf("in %d MiB %d tenants upload batches that never end, and %d have large leads and %d endpoints that hang",
				smallMemory>>20, attackers, hoarders, webhook.MaxEndpoints),
			env: []string{fmt.Sprintf("GOMEMLIMIT=%d", smallMemory*9/10)}, maxPeak: smallMemory + peakMargin,
			rules: rules{busy: 0.05, slowest: 10 * time.Second}, short: true, inject: exhaustMemory},
	}
}

// exhaustMemory attacks with tenants of its own until the outage is over, and each endpoint that hangs was tried.
func exhaustMemory(ctx context.Context, run *runner) error {
	hang, err := newHangingReceiver()
	if err != nil {
		return err
	}
	defer hang.server.Close()
	tenants := make([]loadgen.Tenant, attackers)
	for i := range tenants {
		if tenants[i], err = loadgen.NewTenant(ctx, run.db, fmt.Sprintf("attacker %d", i)); err != nil {
			return err
		}
	}
	for i, t := range tenants[:hoarders] {
		if err := run.hoard(ctx, t, fmt.Sprint(i), hang.url); err != nil {
			return err
		}
	}
	return run.during(func() error {
		uploading, cancel := context.WithTimeout(ctx, run.outage)
		defer cancel()
		var uploads sync.WaitGroup
		for _, t := range tenants {
			for range attackerConns {
				uploads.Go(func() {
					for pause(uploading, 100*time.Millisecond) {
						uploadUnfinished(uploading, run.load.addr, t.Key)
					}
				})
			}
		}
		for i, t := range tenants[hoarders:] {
			for conn := range 2 {
				uploads.Go(func() { postLarge(uploading, run.load.addr, t.Key, fmt.Sprintf("large%d.%d", i, conn)) })
			}
		}
		uploads.Wait()
		return hang.awaitTried(ctx, hoarders*webhook.MaxEndpoints)
	})
}

// hangingReceiver takes requests and answers none.
type hangingReceiver struct {
	url    string
	server *http.Server

	mu    sync.Mutex
	tried map[string]bool // paths
}

func newHangingReceiver() (*hangingReceiver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &hangingReceiver{url: "http://" + l.Addr().String(), tried: map[string]bool{}}
	h.server = &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go h.server.Serve(l)
	return h, nil
}

func (h *hangingReceiver) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	h.mu.Lock()
	h.tried[r.URL.Path] = true
	h.mu.Unlock()
	<-r.Context().Done()
}

// awaitTried waits until n endpoints were tried.
func (h *hangingReceiver) awaitTried(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, takeover)
	defer cancel()
	for {
		h.mu.Lock()
		tried := len(h.tried)
		h.mu.Unlock()
		if tried >= n {
			return nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return fmt.Errorf("%d of %d endpoints that hang were tried", tried, n)
		}
	}
}

// hoard gives a tenant endpoints that hang and large leads for all of them.
func (run *runner) hoard(ctx context.Context, t loadgen.Tenant, name, url string) error {
	for n := range webhook.MaxEndpoints {
		e := webhook.Endpoint{URL: fmt.Sprintf("%s/%s/%d", url, name, n)}
		if _, err := loadgen.NewEndpoint(ctx, run.db, t.Workspace, e); err != nil {
			return err
		}
	}
	large := func(_ int, l *lead.Lead) { l.Metadata = largest() }
	fill := loadgen.Fill{Workspace: t.Workspace, Run: run.name + name, Leads: hoardedLeads, Batch: 26, Vary: large}
	return fill.Into(ctx, run.db)
}

// largest is metadata as large as a lead can have.
func largest() []byte {
	return fmt.Appendf(nil, `{"a":%q}`, strings.Repeat("0123456789abcdef", lead.MaxMetadata/16-1))
}

// postLarge posts large leads, one after the other, until ctx ends; some are refused for want of memory.
func postLarge(ctx context.Context, addr, key, name string) {
	var c *loadgen.Conn
	metadata := largest()
	for n := 0; pause(ctx, 20*time.Millisecond); n++ {
		var err error
		if c == nil {
			if c, err = loadgen.Dial(addr); err != nil {
				return
			}
		}
		body := fmt.Appendf(nil, `{"email":"%s.%d@example.com","metadata":%s}`, name, n, metadata)
		if _, err = c.Post("/api/v1/leads", key, body); err != nil { // refused, and closed
			c.Close()
			c = nil
		}
	}
	if c != nil {
		c.Close()
	}
}

// uploadUnfinished sends nearly all of a batch of 5 MiB, and waits until it is refused or ctx ends.
func uploadUnfinished(ctx context.Context, addr, key string) {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	const size = 5 << 20
	fmt.Fprintf(c, "POST /api/v1/leads/batch HTTP/1.1\r\nHost: chaos\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", key, size)
	piece := make([]byte, 64<<10)
	for range size/len(piece) - 1 {
		if _, err := c.Write(piece); err != nil {
			return
		}
	}
	_, _ = c.Read(piece) // the answer that it came too slowly
}

// checkPeaks compares the most memory that each process had, which report tells, with what it may have had.
func (run *runner) checkPeaks() (report string, err error) {
	for _, p := range append(run.Workers(), run.Gateway()) {
		peak, readErr := privatePeakOf(p.PID())
		if readErr != nil {
			return report, readErr
		}
		report += fmt.Sprintf("  %s had %d MiB at most\n", p.Name, peak>>20)
		if peak > run.maxPeak {
			err = errors.Join(err, fmt.Errorf("%s had %d MiB, more than %d", p.Name, peak>>20, run.maxPeak>>20))
		}
	}
	return report, err
}

// privatePeakOf is the most memory that a process has had, in bytes, as Linux tells, without pages of files: how much
// of the program itself is in memory depends on the machine and its other processes.
func privatePeakOf(pid int) (peak int64, err error) {
	status, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read peak memory: %w", err)
	}
	defer status.Close()
	kib := map[string]int64{}
	for lines := bufio.NewScanner(status); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), ":")
		if n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64); err == nil {
			kib[name] = n
		}
	}
	if kib["VmHWM"] == 0 {
		return 0, errors.New("read peak memory: no VmHWM")
	}
	return (kib["VmHWM"] - kib["RssFile"]) << 10, nil
}
