package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/loadgen"
)

// export reads all leads of a workspace over the API and prints how fast, and how much memory the gateway takes for it.
func (b *bench) export(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	t, err := s.fillWorkspace(ctx, "export")
	if err != nil {
		return err
	}
	for _, format := range []string{"csv", "ndjson"} {
		if err := s.exportAll(ctx, t, format); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
	}
	return nil
}

func (s *fixture) exportAll(ctx context.Context, t loadgen.Tenant, format string) error {
	idle := resident(s.Gateway().PID())
	in := &watched{pid: s.Gateway().PID()}
	u, err := s.metered(ctx, func() error {
		file, err := s.api(t).ExportLeads(ctx, client.ExportOptions{Format: format}, client.LeadFilter{})
		if err != nil {
			return err
		}
		defer file.Close()
		in.from = file
		_, err = io.Copy(io.Discard, in)
		return err
	})
	if err != nil {
		return err
	}
	lines, took := in.lines, u.elapsed
	if format == "csv" {
		lines--
	}
	if lines != s.bench.crowd {
		return fmt.Errorf("%d leads, want %d", lines, s.bench.crowd)
	}
	s.printf("%-6s %d leads in %v: %.0f/s, %.0f MB; the gateway has %.0f MB, idle %.0f MB", format, lines, tenths(took),
		float64(lines)/took.Seconds(), float64(in.bytes)/1e6,
		float64(in.most)/1e6, float64(idle)/1e6)
	s.figure(format, "rate", float64(lines)/took.Seconds(), "1/s")
	s.figure(format, "gateway_memory", float64(in.most), "bytes")
	s.used(format, u, per{lines, "lead"})
	return nil
}

// watched counts lines and looks at a process's memory while they pass.
type watched struct {
	from        io.Reader
	pid         int
	lines       int
	bytes, most int64
	looked      time.Time
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.from.Read(b)
	w.bytes += int64(n)
	w.lines += strings.Count(string(b[:n]), "\n")
	if time.Since(w.looked) > 100*time.Millisecond {
		w.looked, w.most = time.Now(), max(w.most, resident(w.pid))
	}
	return n, err
}
