package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
)

// big takes leads in while there are few and then, in the same run, beside very many of the same workspace, whose
// indexes are larger than Postgres' memory.
func (b *bench) big(ctx context.Context) error {
	s, err := b.newRunningFixture(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	t, err := loadgen.NewTenant(ctx, s.db, "big")
	if err != nil {
		return err
	}
	conns := b.conns[0]
	empty, err := s.takeInRounds(ctx, t, conns)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := s.generate(ctx, t); err != nil {
		return err
	}
	b.printf("%d leads generated in %v", b.giant, time.Since(begin).Round(time.Second))
	full, err := s.takeInRounds(ctx, t, conns)
	if err != nil {
		return err
	}
	for name, c := range map[string]*contender{"empty": empty, "full": full} {
		b.figures(name, c.last)
		b.figure(name, "rate", median(c.rates), "1/s")
	}
	b.used("empty", empty.sum, per{empty.leads, "lead"})
	b.used("full", full.sum, per{full.leads, "lead"})
	times := median(full.rates) / median(empty.rates)
	b.figure("", "times_empty", times, "ratio")
	b.printf("%d connections, empty             %8.0f/s   last round: %v", conns, median(empty.rates), empty.last)
	b.printf("%d connections, beside %9d %8.0f/s   last round: %v", conns, b.giant, median(full.rates), full.last)
	b.printf("full : empty %.2f", times)
	return nil
}

// takeInRounds has connections make leads of t, as often as there are rounds. Each begins with a checkpoint, so that
// all have as many images of pages to write.
func (s *fixture) takeInRounds(ctx context.Context, t loadgen.Tenant, conns int) (*contender, error) {
	c := &contender{name: "leadgate", do: s.posts(s.addr(), "/api/v1/leads", t.Key)}
	for round := range s.rounds {
		s.step("round %d of %d", round+1, s.rounds)
		if err := s.exec(ctx, `checkpoint`); err != nil {
			return nil, err
		}
		if err := s.contend(ctx, c, conns); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Leads are generated so many in a statement, and so many statements at once.
const (
	generated  = 50_000
	generators = 2
)

// generate makes as many leads as big asks for of one that is posted, so that they are as the version under test writes
// them. They differ in what an index has: ids and times of the last 30 days, emails and a word.
func (s *fixture) generate(ctx context.Context, t loadgen.Tenant) error {
	c, err := loadgen.Dial(s.addr())
	if err != nil {
		return err
	}
	defer c.Close()
	got, err := c.Post("/api/v1/leads", t.Key, leadBody(nil, s.nextRun(), 0))
	if err != nil {
		return err
	}
	public, err := got.Lead()
	if err != nil {
		return err
	}
	template, err := id.Lead.Parse(public)
	if err != nil {
		return err
	}
	if err := s.awaitAllIdle(ctx); err != nil {
		return err
	}
	for _, of := range []struct{ table, key string }{{"leads", "id"}, {"enrichments", "lead_id"}} {
		table := of.table
		copies, err := s.copying(ctx, table, of.key)
		if err != nil {
			return err
		}
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(generators)
		for first := 0; first < s.giant; first += generated {
			g.Go(func() error {
				s.step("%s: %d of %d", table, first, s.giant)
				return s.exec(gctx, copies, t.Workspace, template, first, min(first+generated, s.giant)-1, s.giant)
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		s.step("vacuum %s", table)
		if err := s.exec(ctx, "vacuum (analyze) "+table); err != nil { // autovacuum would be at it during the measurement
			return err
		}
	}
	return nil
}

// copying is the statement that copies a row of a table: $1 its workspace, $2 the lead, $3 to $4 the numbers of the
// copies, $5 how many there are to be in all.
func (s *fixture) copying(ctx context.Context, table, key string) (string, error) {
	const all = `
select string_agg(column_name, ',' order by ordinal_position) from information_schema.columns
 where table_schema = current_schema and table_name = $1 and is_generated = 'NEVER'`
	var columns string
	if err := s.base.db.QueryRowContext(ctx, all, table).Scan(&columns); err != nil {
		return "", fmt.Errorf("columns of %s: %w", table, err)
	}
	const email = `'john.' || n.hash || '@example.com'`
	other := map[string]string{"email": email, "email_key": email, "created_at": "n.at", "updated_at": "n.at",
		"words": "t.words || array_to_tsvector(array[n.hash])",
		key: `(left(n.ms, 8) || '-' || right(n.ms, 4) || '-7' || left(n.hash, 3) || '-8' || substr(n.hash, 4, 3) || '-' ||
		      substr(n.hash, 7, 12))::uuid`}
	var values []string
	for column := range strings.SplitSeq(columns, ",") {
		value := "t." + column
		if v, there := other[column]; there {
			value = v
		}
		values = append(values, value)
	}
	return `
insert into ` + table + ` (` + columns + `)
select ` + strings.Join(values, ", ") + `
  from ` + table + ` t
 cross join (select md5(i::text) as hash, at, lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') as ms
               from generate_series($3::int, $4::int) as i
              cross join lateral (select now() - interval '30 days' * (1 - i::float8 / $5::int) - interval '1 minute') as a (at)) as n
 where t.workspace_id = $1 and t.` + key + ` = $2`, nil
}
