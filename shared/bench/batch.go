package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
)

// Batches are posted over few connections: each is a lot of work.
const (
	batchConns = 8
	batchLeads = 500
	batchSlots = 4 // that a workspace has: more connections are more workspaces
)

// batch measures leads taken in by the batch, beside a bare INSERT for each.
func (b *bench) batch(ctx context.Context) error {
	db, err := pg.Open(b.DatabaseURL, pg.Options{MaxConns: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	var keys []string
	for range batchConns / batchSlots {
		t, err := loadgen.NewTenant(ctx, db, "batches")
		if err != nil {
			return err
		}
		keys = append(keys, t.Key)
	}
	inserts := b.bareInserts(ctx)
	var rates []float64
	var last *result
	var used string
	for range b.rounds {
		if err := b.measure(ctx, inserts, batchConns); err != nil {
			return fmt.Errorf("%s: %w", inserts.name, err)
		}
		do, done, err := batchesOf(b.nextRun(), strings.TrimPrefix(b.URL, "http://"), keys)
		if err != nil {
			return err
		}
		before := b.cpu()
		last, err = closedLoop(ctx, batchConns, b.duration, do)
		done()
		if err != nil {
			return err
		}
		used = b.cpu().per(before, last.accepted*batchLeads, "lead")
		rates = append(rates, last.rate()*batchLeads)
		if err := b.awaitAllIdle(ctx); err != nil {
			return err
		}
	}
	b.printf("%d connections, median of %d rounds of %v", batchConns, b.rounds, b.duration)
	b.printf("%-26s %8.0f/s   last round: %v", inserts.name, median(inserts.rates), inserts.last)
	b.printf("%-26s %8.0f leads/s   last round, in batches: %v", fmt.Sprintf("batches of %d", batchLeads), median(rates),
		last)
	if used != "" {
		b.printf("%-26s %s", "", used)
	}
	b.printf("leadgate : %-20s %.2f", inserts.name, median(rates)/median(inserts.rates))
	return nil
}

// batchesOf makes the leads of a run, one batch in each call: a 207 that took all of them in counts as their 201.
func batchesOf(run, addr string, keys []string) (do call, done func(), err error) {
	all := make([]*loadgen.Conn, batchConns)
	done = func() {
		for _, c := range all {
			if c != nil {
				c.Close()
			}
		}
	}
	bodies := make([][]byte, batchConns)
	for i := range all {
		if all[i], err = loadgen.Dial(addr); err != nil {
			done()
			return nil, nil, err
		}
	}
	return func(worker int, n int64) (int, error) {
		body := append(bodies[worker][:0], `{"leads":[`...)
		for i := range int64(batchLeads) {
			if i > 0 {
				body = append(body, ',')
			}
			body = leadBody(body, run, n*batchLeads+i)
		}
		bodies[worker] = append(body, "]}"...)
		got, err := all[worker].Post("/api/v1/leads/batch", keys[worker/batchSlots], bodies[worker])
		if err != nil || got.Status != http.StatusMultiStatus {
			return got.Status, err
		}
		return http.StatusCreated, wantAll(got.Body)
	}, done, nil
}

// wantAll is an error when an answer to a batch does not say that all of its leads were created.
func wantAll(body []byte) error {
	var counts struct{ Data struct{ Created int } }
	// the counts alone: to read all results costs more than to make them
	if end := strings.LastIndex(string(body), `],"created":`); end >= 0 {
		if err := json.Unmarshal([]byte(`{"data":{`+string(body[end+2:])), &counts); err != nil {
			return fmt.Errorf("answer to a batch: %w", err)
		}
	}
	if counts.Data.Created != batchLeads {
		return fmt.Errorf("%d of a batch of %d leads were created", counts.Data.Created, batchLeads)
	}
	return nil
}
