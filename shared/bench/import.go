package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/id"
	"leadgate/shared/leadfile"
	"leadgate/shared/loadgen"
	"leadgate/shared/task"
)

// imports measures how fast a file becomes leads that nobody subscribes to, and what memory that takes of the worker.
func (b *bench) imports(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for _, events := range []bool{true, false} {
		t, err := loadgen.NewTenant(ctx, s.db, "import")
		if err != nil {
			return err
		}
		if err := s.importFile(ctx, t, events); err != nil {
			return err
		}
		if err := s.enrichNow(ctx, t.Workspace); err != nil {
			return err
		}
		if err := s.awaitIdle(ctx, t.Workspace); err != nil {
			return err
		}
	}
	return nil
}

// enrichNow makes the enrichment of imported leads due, which is to wait for a minute.
func (s *fixture) enrichNow(ctx context.Context, workspace id.UUID) error {
	for _, table := range []string{"enrichments", "enrichment_queue"} {
		q := `update ` + table + ` set due_at = now() where workspace_id = $1 and due_at > now()`
		if err := s.exec(ctx, q, workspace); err != nil {
			return err
		}
	}
	return s.waker.Wake(ctx, []task.Key{task.Enrich(workspace)})
}

// importFile sends a file of b.rows rows and waits until all are leads.
func (s *fixture) importFile(ctx context.Context, t loadgen.Tenant, events bool) error {
	idle := resident(s.Workers()[0].PID())
	var i leadfile.Import
	var size int
	var sent, took time.Duration
	most := idle
	u, err := s.metered(ctx, func() (err error) {
		begin := time.Now()
		var imp id.UUID
		if imp, size, err = s.sendFile(ctx, t, events); err != nil {
			return err
		}
		sent = time.Since(begin)
		for i.FinishedAt == nil {
			if i, err = s.db.GetImport(ctx, t.Workspace, imp); err != nil {
				return err
			}
			most = max(most, resident(s.Workers()[0].PID()))
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		took = time.Since(begin) - sent
		return nil
	})
	if err != nil {
		return err
	}
	if i.State != leadfile.Done || i.Created != s.rows {
		return fmt.Errorf("the import is %s with %+v, want %d leads", i.State, i.Tally, s.rows)
	}
	with := "with events"
	if !events {
		with = "without events"
	}
	s.printf(
		"%d rows %-14s %6.0f rows/s   the file, %.1f MB, was sent in %v; the worker grew from %.0f to at most %.0f MB",
		s.rows, with, float64(s.rows)/took.Seconds(), float64(size)/1e6, sent.Round(time.Millisecond), float64(idle)/1e6,
		float64(most)/1e6)
	s.figure(with, "rate", float64(s.rows)/took.Seconds(), "1/s")
	s.figure(with, "worker_memory", float64(most), "bytes")
	s.used(with, u, per{s.rows, "row"})
	return nil
}

// sendFile posts the file and returns the import and the file's size.
func (s *fixture) sendFile(ctx context.Context, t loadgen.Tenant, events bool) (imp id.UUID, size int, err error) {
	var file strings.Builder
	file.WriteString("email,name,phone,company,utm_source\n")
	run := s.nextRun()
	for row := range s.rows {
		fmt.Fprintf(&file, "%s.%d@example.com,Ann Lee %d,+1-555-0100,\"Acme, Inc.\",google\n", run, row, row)
	}
	i, err := s.api(t).UploadImport(ctx, strings.NewReader(file.String()), int64(file.Len()),
		client.ImportOptions{NoEvents: !events})
	if err != nil {
		return imp, 0, fmt.Errorf("send the file: %w", err)
	}
	imp, err = id.Import.Parse(i.ID)
	return imp, file.Len(), err
}

// api returns a client with a tenant's key.
func (s *fixture) api(t loadgen.Tenant) *client.Client {
	return client.New(client.Options{URL: s.URL, Key: t.Key})
}
