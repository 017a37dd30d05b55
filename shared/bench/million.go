package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/loadgen"
)

// queries returns how often each list is read.
func (o options) queries() int {
	if o.quick {
		return 4
	}
	return 200
}

// million asks for lists of a workspace with very many leads, and makes leads in it and, in the same run, where there
// are few.
func (b *bench) million(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	small, err := loadgen.NewTenant(ctx, s.db, "few")
	if err != nil {
		return err
	}
	before, err := b.createRate(ctx, small, "empty")
	if err != nil {
		return err
	}
	large, err := s.fillWorkspace(ctx, "million")
	if err != nil {
		return err
	}
	for _, l := range lists {
		if err := s.measureList(ctx, large, l.name, l.query); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	after, err := b.createRate(ctx, large, "crowded")
	if err != nil {
		return err
	}
	b.figure("", "times_empty", after/before, "ratio")
	b.printf("created in an empty table %.0f/s, beside %d leads %.0f/s: %.2f of it", before, b.crowd, after, after/before)
	return nil
}

// lists are what is asked for; a query that begins with deep goes on from a page far down.
var lists = []struct{ name, query string }{
	{"first page", ""}, {"deep page", "deep"}, {"last changed", "sort=-updatedAt"},
	{"email", "email=fill.crowd.7@example.com"},
	{"status", "status=lost"}, {"source", "source=web"}, {"metadata", "metadata.campaign=c7"},
	{"rare metadata", "metadata.click=k7"},
	{"common word", "q=firm"}, {"rare word", "q=name77"}, {"rare and common word", "q=name77+firm"},
	{"no such word", "q=zzz"}, {"all together", "q=firm&status=lost&source=web&metadata.campaign=c7"},
}

// vary makes leads differ as those of a workspace do.
func vary(n int, l *lead.Lead) {
	l.Name = fmt.Sprintf("Name%d Person%d", n%9973, n%97)
	l.Source = []string{"web", "api", "form"}[n%3]
	l.Status = []string{"new", "contacted", "lost", "converted"}[n%4]
	l.Metadata = fmt.Appendf(nil, `{"company":"Firm %d","campaign":"c%d","utm_source":"google","click":"k%d"}`, n%311,
		n%50, n/10)
}

// fillWorkspace makes a workspace with options.crowd leads and waits until the index has all of them.
func (s *fixture) fillWorkspace(ctx context.Context, name string) (t loadgen.Tenant, err error) {
	if t, err = loadgen.NewTenant(ctx, s.db, name); err != nil {
		return t, err
	}
	begin := time.Now()
	fill := loadgen.Fill{Workspace: t.Workspace, Run: "crowd", Leads: s.bench.crowd, Vary: vary}
	if err := fill.Into(ctx, s.db); err != nil {
		return t, err
	}
	filled := time.Since(begin)
	const pending = `
select (select count(*) from enrichments where workspace_id = $1 and due_at is not null)
     + (select coalesce(sum(cardinality(leads)), 0) from enrichment_queue where workspace_id = $1)`
	for last, still := int64(-1), time.Now(); ; {
		left, err := s.count(ctx, pending, t.Workspace)
		if err != nil {
			return t, err
		}
		if left == 0 {
			break
		}
		if left != last {
			last, still = left, time.Now()
		}
		if time.Since(still) > 20*time.Second {
			return t, fmt.Errorf("%d leads are still not in the search index, and no fewer than before", left)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return t, ctx.Err()
		}
	}
	s.printf("%d leads filled in %v, in the index after %v", s.bench.crowd, filled.Round(time.Second),
		time.Since(begin).Round(time.Second))
	return t, s.exec(ctx, `analyze leads, enrichments`)
}

// measureList reads a list again and again.
func (s *fixture) measureList(ctx context.Context, t loadgen.Tenant, name, query string) error {
	c, err := loadgen.Dial(s.addr())
	if err != nil {
		return err
	}
	defer c.Close()
	path := "/api/v1/leads?" + query
	if query == "deep" {
		if path, err = s.deepPage(ctx, t); err != nil {
			return err
		}
	}
	var took []time.Duration
	size := 0
	u, err := s.metered(ctx, func() error {
		for range s.bench.queries() {
			begin := time.Now()
			got, err := c.Get(path, t.Key)
			if err != nil {
				return err
			}
			if got.Status != http.StatusOK {
				return fmt.Errorf("%d %s", got.Status, got.Body)
			}
			took = append(took, time.Since(begin))
			size = strings.Count(string(got.Body), `"id":"lead_`)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	s.printf("%-22s p50 %v, p99 %v, %d leads", name, tenths(p50), tenths(p99), size)
	s.figure(name, "p50", milliseconds(p50), "ms")
	s.figure(name, "p99", milliseconds(p99), "ms")
	s.used(name, u, per{len(took), "request"})
	return nil
}

// deepPage returns the path of the leads before the one in the middle.
func (s *fixture) deepPage(ctx context.Context, t loadgen.Tenant) (string, error) {
	var middle id.UUID
	const q = `select id from leads where workspace_id = $1 order by id offset $2 limit 1`
	if err := s.base.db.QueryRowContext(ctx, q, t.Workspace, s.bench.crowd/2).Scan(&middle); err != nil {
		return "", err
	}
	return "/api/v1/leads?createdUntil=" + id.Time(middle).Add(time.Millisecond).Format("2006-01-02T15:04:05.000Z"), nil
}

// createRate has 32 connections make leads of t and notes what that used; it does not wait until they are enriched.
func (b *bench) createRate(ctx context.Context, t loadgen.Tenant, name string) (float64, error) {
	do, done, err := postsOf(b.nextRun(), b.addr(), "/api/v1/leads", t.Key, 32)
	if err != nil {
		return 0, err
	}
	defer done()
	var res *result
	u, err := b.metered(ctx, func() error {
		res, err = closedLoop(ctx, 32, b.duration, do)
		return err
	})
	if err != nil {
		return 0, err
	}
	b.figures(name, res)
	b.used(name, u, per{res.accepted, "lead"})
	return res.rate(), nil
}
