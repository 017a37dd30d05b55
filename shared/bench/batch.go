package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"leadgate/shared/loadgen"
)

// Batches are posted over few connections: each is a lot of work.
const (
	batchConns = 8
	batchLeads = 500
	batchSlots = 4 // that a workspace has: more connections are more workspaces
)

// batch measures leads taken in by the batch, beside a bare INSERT for each.
func (b *bench) batch(ctx context.Context) error {
	db, err := b.openDB()
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
	all := []*contender{b.bareInserts(ctx), {name: fmt.Sprintf("batches of %d", batchLeads),
		do: func(int) (call, func(), error) {
			return batchesOf(b.nextRun(), b.addr(), batches{keys, batchConns, batchLeads})
		}}}
	for round := range b.rounds {
		for _, c := range all {
			b.step("round %d of %d: %s", round+1, b.rounds, c.name)
			if err := b.contend(ctx, c, batchConns); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	ours := all[1]
	for i := range ours.rates {
		ours.rates[i] *= batchLeads
	}
	ours.leads *= batchLeads
	b.printf("%d connections, median of %d rounds of %v; the last round of batches is in batches", batchConns, b.rounds,
		b.duration)
	b.compared("", all)
	return nil
}

// batches are leads that are posted many in a request.
type batches struct {
	keys  []string // of workspaces, each of which has batchSlots connections
	conns int
	leads int // in one request
}

// batchesOf makes the leads of a run, one batch in each call: a 207 that took all of them in counts as their 201.
func batchesOf(run, addr string, of batches) (do call, done func(), err error) {
	all, done, err := dial(addr, of.conns)
	if err != nil {
		return nil, nil, err
	}
	bodies := make([][]byte, of.conns)
	return func(worker int, n int64) (int, error) {
		body := append(bodies[worker][:0], `{"leads":[`...)
		for i := range int64(of.leads) {
			if i > 0 {
				body = append(body, ',')
			}
			body = leadBody(body, run, n*int64(of.leads)+i)
		}
		bodies[worker] = append(body, "]}"...)
		got, err := all[worker].Post("/api/v1/leads/batch", of.keys[worker/batchSlots], bodies[worker])
		if err != nil || got.Status != http.StatusMultiStatus {
			return got.Status, err
		}
		return wantAll(got.Body, of.leads)
	}, done, nil
}

// wantAll returns the status of an answer to a batch as a load counts it: 201 when all of its leads are there, 503 when
// some are still to be posted again. Those that are there already were posted before.
func wantAll(body []byte, leads int) (int, error) {
	var counts struct {
		Data struct{ Created, Duplicates int }
	}
	// the counts alone: to read all results costs more than to make them
	if end := strings.LastIndex(string(body), `],"created":`); end >= 0 {
		if err := json.Unmarshal([]byte(`{"data":{`+string(body[end+2:])), &counts); err != nil {
			return 0, fmt.Errorf("answer to a batch: %w", err)
		}
	}
	if d := counts.Data; d.Created+d.Duplicates == leads {
		return http.StatusCreated, nil
	}
	return http.StatusServiceUnavailable, nil
}
