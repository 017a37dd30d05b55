package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// spreadRate is how many leads a second spread posts, to all workspaces together.
const spreadRate = 200

// spread posts the same leads to one workspace, and to very many: evenly, and as workspaces differ in life (zipf).
func (b *bench) spread(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	all, err := s.makeTenants(ctx, b.tenants)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name  string
		whose []loadgen.Tenant
	}{
		{"one workspace", all[:1]},
		{fmt.Sprintf("%d workspaces, even", b.tenants), all},
		{fmt.Sprintf("%d workspaces, zipf", b.tenants), zipf(all)},
	} {
		if err := s.postSteadily(ctx, c.name, spreadRate, c.whose); err != nil {
			return err
		}
	}
	sink, err := s.subscribeAll(ctx, all)
	if err != nil {
		return err
	}
	defer sink.Close()
	if err := s.postSteadily(ctx, fmt.Sprintf("%d workspaces, zipf, an endpoint each", b.tenants), spreadRate,
		zipf(all)); err != nil {
		return err
	}
	return refusedBy(sink)
}

// makeTenants makes n workspaces.
func (s *fixture) makeTenants(ctx context.Context, n int) ([]loadgen.Tenant, error) {
	s.step("making %d workspaces", n)
	all := make([]loadgen.Tenant, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range all {
		g.Go(func() (err error) {
			all[i], err = loadgen.NewTenant(ctx, s.db, fmt.Sprintf("tenant %d", i))
			return err
		})
	}
	return all, g.Wait()
}

// subscribeAll gives each tenant an endpoint for lead.created.
func (s *fixture) subscribeAll(ctx context.Context, all []loadgen.Tenant) (*loadgen.Sink, error) {
	s.step("making %d endpoints", len(all))
	sink, err := loadgen.NewSink(0, nil)
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range all {
		g.Go(func() error {
			_, err := sink.Subscribe(ctx, s.db, all[i].Workspace, fmt.Sprintf("/%d", i), webhook.Endpoint{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		sink.Close()
		return nil, err
	}
	return sink, nil
}

// zipf lists tenants as they come up when the first is the busiest and the n-th has 1/n^1.1 of that; it is the same
// list in every run.
func zipf(all []loadgen.Tenant) []loadgen.Tenant {
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(len(all)-1))
	list := make([]loadgen.Tenant, 1<<16)
	for i := range list {
		list[i] = all[z.Uint64()]
	}
	return list
}

// mixed has many workspaces, zipf, send what installations get: of 20 requests 13 make a lead, 2 come again, 2 change
// a lead that is there, and there is a batch of 10, a list and a search. Every tenth workspace has an endpoint.
func (b *bench) mixed(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	all, err := s.makeTenants(ctx, b.tenants)
	if err != nil {
		return err
	}
	var some []loadgen.Tenant
	for i := 0; i < len(all); i += 10 {
		some = append(some, all[i])
	}
	sink, err := s.subscribeAll(ctx, some)
	if err != nil {
		return err
	}
	defer sink.Close()
	whose := zipf(all)
	for _, conns := range b.conns {
		if err := s.mix(ctx, whose, conns); err != nil {
			return err
		}
	}
	return refusedBy(sink)
}

func (s *fixture) mix(ctx context.Context, whose []loadgen.Tenant, conns int) error {
	name := fmt.Sprintf("%d connections", conns)
	s.step("%s", name)
	run := s.nextRun()
	all, done, err := dial(s.addr(), conns)
	if err != nil {
		return err
	}
	defer done()
	const leads = `select count(*) from leads`
	before, err := s.count(ctx, leads)
	if err != nil {
		return err
	}
	var res *result
	u, err := s.metered(ctx, func() error {
		res, err = closedLoop(ctx, conns, s.duration, func(worker int, n int64) (int, error) {
			return mixedRequest(all[worker], run, n, whose)
		})
		if err != nil {
			return err
		}
		return s.awaitAllIdle(ctx)
	})
	if err != nil {
		return err
	}
	made, err := s.count(ctx, leads)
	if err != nil {
		return err
	}
	made -= before
	s.printf("%-16s %v   leads made: %.0f/s", name, res, float64(made)/res.elapsed.Seconds())
	s.figures(name, res)
	s.figure(name, "lead_rate", float64(made)/res.elapsed.Seconds(), "1/s")
	s.used(name, u, per{res.accepted, "request"}, per{int(made), "lead"})
	return nil
}

// mixedRequest sends the n-th request of mixed. All expected answers count as 201.
func mixedRequest(c *loadgen.Conn, run string, n int64, whose []loadgen.Tenant) (status int, err error) {
	tenant := func(n int64) string { return whose[int(n)%len(whose)].Key }
	former := max(1, n/20*20-19) // made a lead 20 requests before, or does just now
	var got loadgen.Answer
	want := http.StatusOK
	switch n % 20 {
	case 13, 14:
		got, err = c.Post("/api/v1/leads", tenant(former), leadBody(nil, run, former))
		want = http.StatusConflict
	case 15, 16:
		got, err = c.Post("/api/v1/leads?onDuplicate=update", tenant(former+1), leadBody(nil, run, former+1))
	case 17:
		body := []byte(`{"leads":[`)
		for i := range int64(10) {
			if i > 0 {
				body = append(body, ',')
			}
			body = leadBody(body, run+"b", n*10+i)
		}
		got, err = c.Post("/api/v1/leads/batch", tenant(n), append(body, "]}"...))
		want = http.StatusMultiStatus
	case 18:
		got, err = c.Get("/api/v1/leads?limit=20", tenant(n))
	case 19:
		got, err = c.Get("/api/v1/leads?q=john", tenant(n))
	default:
		got, err = c.Post("/api/v1/leads", tenant(n), leadBody(nil, run, n))
		want = http.StatusCreated
	}
	if got.Status == want {
		return http.StatusCreated, err
	}
	return got.Status, err
}
