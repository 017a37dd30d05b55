package pg_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/webhook"
)

// How much a statement may do: so many rows looked at and pages read for each item of its list, and beside it. Reading
// the workspace once is more, and reading it for each item of a list, or the list for each of its rows, very much more.
const (
	staleLeads  = 6000 // of the workspace that statistics do not know
	workPerItem = 40
	workBeside  = 2000
	workOfOne   = 40 // rows or pages of a statement about one lead or delivery, which the index of a workspace has more of
)

// TestListsBoundWork runs the statements that join a growing table to a list in a workspace that grew since Postgres
// last looked, and measures what they do. A plan that begins with the workspace, because it is believed to be empty,
// reads all of it, or reads the list once for each of its rows.
func TestListsBoundWork(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it is about plans of Postgres")
	for name, known := range map[string]func(*stale){
		"statistics know one other workspace": func(s *stale) { s.fill(pgtest.Workspace(t, s.silent).ID, 20_000) },
		"statistics know as many as rows":     func(s *stale) { s.fill(id.UUID{}, 2000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStale(t, known)
			for _, c := range s.cases() {
				bound := float64(workBeside + c.items*workPerItem)
				t.Run(c.name, func(t *testing.T) { s.measure(t, &c, s.custom, bound) })
				if prepared[c.name] {
					t.Run(c.name+", planned for any parameters", func(t *testing.T) { s.measure(t, &c, s.generic, bound) })
				}
			}
		})
	}
}

// prepared are the cases whose statements stay prepared, and so get a plan for any parameters too.
var prepared = map[string]bool{"lease deliveries": true, "lease deliveries of a backlog": true,
	"record outcomes": true, "enrich leads": true,
	"insert leads that are there": true, "find holders": true, "import leads that are there": true, "repeat requests": true,
	"keep answers": true}

// stale is a database in which one workspace grew after the last analyze.
type stale struct {
	*testing.T
	*explainer
	ws       id.UUID
	endpoint webhook.Endpoint
	used     int     // leads that cases have taken
	told     id.UUID // a lead with events that cases share
}

// staleCase is an operation whose statements have a list of so many items.
type staleCase struct {
	name    string
	items   int
	prepare func() // nil: nothing
	run     func(context.Context, *pg.DB) error
}

func newStale(t *testing.T, known func(*stale)) *stale {
	t.Helper()
	s := &stale{T: t, explainer: newMeter(t, pgtest.OwnerURL(t))}
	known(s)
	for _, table := range staleTables {
		s.exec(`analyze ` + table)
	}
	keepStatistics(t, s.silent)
	w := pgtest.Workspace(t, s.silent)
	s.ws, s.endpoint = w.ID, pgtest.Endpoint(t, s.silent, w.ID)
	s.fill(s.ws, staleLeads)
	return s
}

// keepStatistics has Postgres look at tables no more than it did until now.
func keepStatistics(t *testing.T, db *pg.DB) {
	t.Helper()
	var parts []string
	err := db.SelectContext(t.Context(), &parts, `
select oid::regclass::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		pgtest.Exec(t, db, `alter table `+part+` set (autovacuum_enabled = off)`)
	}
}

// staleTables are those that fill fills.
var staleTables = append(slices.Clone(growing), "idempotency", "releases", "suppressions", "audit",
	"console_sessions")

// fill gives a workspace so many rows in each of the tables, or, if it is zero, so many workspaces one row.
func (s *stale) fill(workspace id.UUID, rows int) {
	s.Helper()
	endpoint := s.endpoint.ID
	if workspace != s.ws || endpoint == (id.UUID{}) {
		endpoint = id.New()
	}
	fill(s.T, s.silent, workspace, endpoint, rows)
	for _, q := range []string{`
insert into idempotency (workspace_id, key_hash, request_hash, id, taken_at, created_at)
select ws, sha256(convert_to(cast(ws as text) || n, 'utf8')), '\x00', gen_random_uuid(), now(), now()`, `
insert into releases (workspace_id, email_key, lead_id, created_at) select ws, n || '@example.com', gen_random_uuid(), now()`, `
insert into suppressions (workspace_id, email_hash, created_at) select ws, sha256(convert_to(cast(n as text), 'utf8')), now()`, `
insert into audit (workspace_id, id, action, target, details, created_at) select ws, gen_random_uuid(), '', '', '{}', now()`,
	} {
		s.exec(q+`
  from (select coalesce(nullif(cast($1 as uuid), '00000000-0000-0000-0000-000000000000'), gen_random_uuid()) as ws, n
          from generate_series(1, cast($2 as integer)) n) w`, workspace, rows)
	}
	s.exec(`
insert into console_sessions (workspace_id, id, name, scopes, frame_origins, brand, secret_hash, created_at, expires_at)
select w.id, delivery_id(uuid_floor(at), gen_random_uuid()), '', '{leads:read}', '{}', '{}',
       sha256(convert_to(w.id::text || n, 'utf8')), at, at + interval '1 second'
  from workspaces w, generate_series(1, cast($2 as integer)) n, lateral (select now() - n * interval '6 days' / $2) x (at)
 where w.id = $1`, workspace, rows)
}

func (s *stale) exec(q string, args ...any) {
	s.Helper()
	pgtest.Exec(s, s.silent, q, args...)
}

func (s *stale) measure(t *testing.T, c *staleCase, db *pg.DB, bound float64) {
	s.T = t
	if c.prepare != nil {
		c.prepare()
	}
	s.plans, s.texts = nil, nil
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := c.run(ctx, db); err != nil {
		t.Errorf("%v", err)
	}
	worst, of := 0.0, 0
	for i, p := range s.plans {
		if work := math.Max(p.rows(), p.Found+p.Read); work > worst {
			worst, of = work, i
		}
	}
	t.Logf("%d items: %.0f", c.items, worst)
	if len(s.plans) == 0 {
		t.Error("no statement was measured")
	} else if worst > bound {
		t.Errorf("a list of %d looks at %.0f rows or pages, want %.0f at most:\n%s", c.items, worst, bound, s.texts[of])
	}
}

// ids returns n rows' values of a query.
func (s *stale) ids(q string, args ...any) (all []id.UUID) {
	s.Helper()
	if err := s.silent.SelectContext(s.Context(), &all, q, args...); err != nil || len(all) == 0 {
		s.Fatalf("%s = %d ids, %v, want some", q, len(all), err)
	}
	return all
}

// nextLead is a lead that no case has had yet.
func (s *stale) nextLead() id.UUID {
	s.Helper()
	s.used++
	return s.ids(`select id from leads where workspace_id = $1 order by id offset $2 limit 1`, s.ws, 2000+s.used)[0]
}

// tell adds n events of a lead, each with a delivery that waits and an attempt that was answered.
func (s *stale) tell(leadID id.UUID, n int) {
	s.Helper()
	s.exec(`
with ev as (
    insert into events (workspace_id, id, type, lead_id, data, created_at)
    select $1, delivery_id(uuid_floor(at), gen_random_uuid()), 'lead.updated', $2, '{"email":"secret@example.com"}', at
      from (select now() - interval '1 minute' + n * interval '1 ms' from generate_series(1, cast($4 as integer)) n) x (at)
    returning id, created_at
), d as (
    insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
    select $1, delivery_id(ev.id, $3), $3, ev.id, 'pending', now(), created_at, now() from ev
    returning id, created_at
)
insert into attempts (workspace_id, delivery_id, id, number, response_head, latency_ms, created_at)
select $1, id, id, 1, 'secret', 1, created_at from d`, s.ws, leadID, s.endpoint.ID, n)
}

func (s *stale) emails(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%d@example.com", 3000+i))
	}
	return all
}

func (s *stale) requests(n int) (all []pg.IdempotentRequest) {
	for i := range n {
		key := sha256.Sum256(fmt.Appendf(nil, "%s%d", s.ws, i+1))
		all = append(all, pg.IdempotentRequest{Workspace: s.ws, Key: key, Request: key, ID: id.New()})
	}
	return all
}

func (s *stale) newLeads(emails []string) (all []pg.NewLead) {
	for _, email := range emails {
		all = append(all, pg.NewLead{EventID: id.New(), Lead: lead.Lead{WorkspaceID: s.ws, ID: id.New(), Email: email,
			UniqueKey: email, Source: "api", Status: "new", Metadata: []byte(`{}`), CreatedAt: time.Now()}})
	}
	return all
}

// wantCount is err, or else an error when there are not as many as wanted.
func wantCount(err error, got, want int) error {
	if err == nil && got != want {
		err = fmt.Errorf("got %d, want %d", got, want)
	}
	return err
}
