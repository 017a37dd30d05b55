package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// What heavy loads a gateway and a worker with.
const (
	heavyConns     = 64
	heavyEndpoints = 50
	heavyLeads     = 640
	heavyMetadata  = 32_000  // bytes of a lead
	uploadBytes    = 5 << 20 // what a batch may have
	uploadFields   = 10_000  // bytes of fields of one of its leads
	uploadTenants  = heavyConns / batchSlots
)

// heavy shows what memory gateway and worker need at most: for large leads of which each goes to many endpoints, and
// then while others upload batches, as large as they may be, of leads that are all refused once they are read.
func (b *bench) heavy(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	t, err := loadgen.NewTenant(ctx, s.db, "heavy")
	if err != nil {
		return err
	}
	sink, err := loadgen.NewSink(0, nil)
	if err != nil {
		return err
	}
	defer sink.Close()
	for n := range heavyEndpoints {
		e := webhook.Endpoint{EventTypes: []string{webhook.LeadCreated}}
		if _, err := sink.Subscribe(ctx, s.db, t.Workspace, "/"+strconv.Itoa(n), e); err != nil {
			return err
		}
	}
	if err := s.heavyLeads(ctx, t, sink); err != nil {
		return err
	}
	if err := s.heavyUploads(ctx); err != nil {
		return err
	}
	return refusedBy(sink)
}

// heavyLeads posts large leads and waits until all endpoints have them.
func (s *fixture) heavyLeads(ctx context.Context, t loadgen.Tenant, sink *loadgen.Sink) error {
	leads := heavyLeads
	if s.quick {
		leads = 16
	}
	conns, done, err := dial(s.addr(), heavyConns)
	if err != nil {
		return err
	}
	defer done()
	run, metadata := s.nextRun(), strings.Repeat("m", heavyMetadata)
	post := func(worker int, n int64) (int, error) {
		body := fmt.Appendf(nil, `{"email":"%s%d@example.com","metadata":{"page":"%s"}}`, emailOf(run), n, metadata)
		got, err := conns[worker].Post("/api/v1/leads", t.Key, body)
		return got.Status, err
	}
	return s.mostMemory(ctx, "large leads", func() (*result, error) {
		res, err := openLoop(ctx, offer{workers: heavyConns, perSecond: 1_000_000, total: leads}, post)
		if err != nil {
			return res, err
		}
		s.step("%d deliveries", res.accepted*heavyEndpoints)
		return res, sink.Await(ctx, res.accepted*heavyEndpoints)
	})
}

// heavyUploads has connections of many workspaces upload batches for as long as a measurement takes.
func (s *fixture) heavyUploads(ctx context.Context) error {
	var keys []string
	for range uploadTenants {
		t, err := loadgen.NewTenant(ctx, s.db, "uploads")
		if err != nil {
			return err
		}
		keys = append(keys, t.Key)
	}
	uploaders := heavyConns
	if s.quick {
		uploaders = batchSlots
	}
	conns, done, err := dial(s.addr(), uploaders)
	if err != nil {
		return err
	}
	defer done()
	body := heavyBatch()
	return s.mostMemory(ctx, "uploads", func() (*result, error) {
		return closedLoop(ctx, uploaders, s.duration, func(worker int, _ int64) (int, error) {
			got, err := conns[worker].Post("/api/v1/leads/batch", keys[worker/batchSlots], body)
			if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				return got.Status, err
			}
			conns[worker].Close() // the gateway has no room for it, and reads no further
			again, err := loadgen.Dial(s.addr())
			if err == nil {
				conns[worker] = again
			}
			return brokenOff, err
		})
	})
}

// brokenOff stands for the status of a request that the gateway refused before all of it was sent.
const brokenOff = 0

// heavyBatch is a batch of leads without an email, as large as one may be.
func heavyBatch() []byte {
	one := []byte(`{"metadata":{"0":0`)
	for n := 1; len(one) < uploadFields; n++ {
		one = fmt.Appendf(one, `,"%d":%d`, n, n)
	}
	one = append(one, "}}"...)
	body := append([]byte(`{"leads":[`), one...)
	for n := 1; n < batchLeads && len(body)+len(one)+3 <= uploadBytes; n++ {
		body = append(append(body, ','), one...)
	}
	return append(body, "]}"...)
}

// mostMemory prints what a load came to, and the most memory that gateway and worker had meanwhile.
func (s *fixture) mostMemory(ctx context.Context, name string, load func() (*result, error)) error {
	memory := watchMemory(ctx, s.Gateway().PID(), s.Workers()[0].PID())
	res, err := load()
	most := memory()
	if err != nil {
		return err
	}
	s.printf("%-11s %v", name, res)
	s.memoryFigures(name, most)
	return nil
}
