package pg_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"leadgate/migrations"
	"leadgate/shared/devstack"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// released is the first version, and what all others are measured by: its files as they were released.
const (
	releasedFiles = "testdata/released"
	released      = 6
)

var quiet = slog.New(slog.DiscardHandler)

// newest is the version that migrations lead to.
func newest(t *testing.T) int64 {
	t.Helper()
	all, err := migrations.All()
	if err != nil {
		t.Fatal(err)
	}
	return all[len(all)-1].Version
}

// mustReach returns the schema that the released files make, brought up to date.
func mustReach(t *testing.T, p *devstack.Postgres) []string {
	t.Helper()
	db := mustRelease(t, p, released)
	if n, err := db.Migrate(t.Context(), quiet); err != nil || n != int(newest(t)-released) {
		t.Fatalf("Migrate() = %d, %v, want %d applied", n, err, newest(t)-released)
	}
	return schemaOf(t, db)
}

// mustRelease makes a database that the released files brought to a version, with rows in its tables.
func mustRelease(t *testing.T, p *devstack.Postgres, version int64) *pg.DB {
	t.Helper()
	name := fmt.Sprintf("v%d", version)
	if err := p.CreateDatabase(t.Context(), name, ""); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, p.URL(name), pg.Options{MaxConns: 4})
	if version == 0 {
		return db
	}
	goosed, err := goose.NewProvider(goose.DialectPostgres, db.DB.DB, os.DirFS(releasedFiles))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := goosed.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if version >= 3 {
		l := load{db: db, ws: id.New()}
		for range 10 {
			if err := l.insert(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return db
}

// Whatever released version a database has, migrations bring it to one schema: our files of before make what the
// released ones do.
func TestMigrateReachesOneSchema(t *testing.T) {
	t.Parallel()
	p, _ := pgtest.Start(t)
	want := mustReach(t, p)
	for version := range int64(released) {
		t.Run(fmt.Sprintf("from version %d", version), func(t *testing.T) {
			db := mustRelease(t, p, version)
			n, err := db.Migrate(t.Context(), quiet)
			if err != nil || n != int(newest(t)-version) {
				t.Fatalf("Migrate() = %d, %v, want %d applied", n, err, newest(t)-version)
			}
			if diff := cmp.Diff(want, schemaOf(t, db)); diff != "" {
				t.Errorf("the schema differs from that of the released files (-want +got):\n%s", diff)
			}
		})
	}
}

// What a run that was killed left, an index that is not valid or a partition's that is not part of one yet, is made
// anew or taken.
func TestMigrateGoesOn(t *testing.T) {
	t.Parallel()
	p, _ := pgtest.Start(t)
	want := mustReach(t, p)
	for version, left := range map[int64]string{
		3: `
do $$
declare part text := (select tableoid::regclass from events limit 1); part2 text := (select tableoid::regclass from deliveries limit 1);
begin
    execute format('create index %I on %I (workspace_id, lead_id, id) where lead_id is not null', part || '_workspace_id_lead_id_id_idx', part);
    execute format('create index %I on %I (id)', part2 || '_workspace_id_endpoint_id_id_idx1', part2);
    update pg_index set indisvalid = false where indexrelid = (part2 || '_workspace_id_endpoint_id_id_idx1')::regclass;
    alter table endpoints add column chatbot_ids uuid[];
    alter table events add column chatbot_id uuid;
end $$`,
		5: `
create index leads_updated on leads (id);
update pg_index set indisvalid = false where indexrelid = 'leads_updated'::regclass`,
	} {
		t.Run(fmt.Sprintf("from version %d", version), func(t *testing.T) {
			db := mustRelease(t, p, version)
			if _, err := db.ExecContext(t.Context(), left); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Migrate(t.Context(), quiet); err != nil {
				t.Fatalf("Migrate() = %v", err)
			}
			if diff := cmp.Diff(want, schemaOf(t, db)); diff != "" {
				t.Errorf("the schema differs from that of the released files (-want +got):\n%s", diff)
			}
		})
	}
}

// Behind a transaction that does not end, migrations give up, say whose it is, and go on when it has ended.
func TestMigrateGivesUp(t *testing.T) {
	t.Parallel()
	p, _ := pgtest.Start(t)
	db := mustRelease(t, p, 4)
	other := mustOpen(t, p.URL("v4"), pg.Options{MaxConns: 1, Application: "backup"})
	background, stop := context.WithCancel(t.Context())
	defer stop()
	holds, ended := make(chan struct{}), make(chan error)
	go func() {
		ended <- readAll(background, other, func() { close(holds); <-background.Done() })
	}()
	select {
	case <-holds:
	case err := <-ended:
		t.Fatal(err)
	}
	_, err := db.MigrateWithin(t.Context(), quiet, time.Second)
	if err == nil || !strings.Contains(err.Error(), "0005_extend_leads.sql, step 1 of") ||
		!strings.Contains(err.Error(), "(backup, idle in transaction, for ") {
		t.Errorf("Migrate() = %v, want an error that says where it stopped and because of whom", err)
	}
	stop()
	<-ended
	if _, err := db.Migrate(t.Context(), quiet); err != nil {
		t.Errorf("Migrate() = %v after the backup has ended", err)
	}
}

// schemaOf describes everything in a database, a line each.
func schemaOf(t *testing.T, db *pg.DB) (lines []string) {
	t.Helper()
	const q = `
with ours as (select * from pg_class where relnamespace = 'public'::regnamespace and relname not like 'goose%')
select format('column %s.%s %s: %s%s%s storage %s', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
              case when a.attnotnull then ' not null' end, ' default ' || pg_get_expr(d.adbin, d.adrelid), a.attstorage)
  from ours c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
 where c.relkind in ('r', 'p')
union all
select format('constraint %s: %s', k.conname, pg_get_constraintdef(k.oid)) from ours c join pg_constraint k on k.conrelid = c.oid
union all
select format('index %s of %s, valid %s: %s', c.relname, (select inhparent::regclass from pg_inherits where inhrelid = c.oid),
              i.indisvalid, pg_get_indexdef(c.oid))
  from ours c join pg_index i on i.indexrelid = c.oid
union all
select format('table %s %s %s %s', c.relname, c.relkind, c.reloptions, pg_get_expr(c.relpartbound, c.oid))
  from ours c
 where c.relkind <> 'I' and c.relkind <> 'i'
union all
select format('function %s', pg_get_functiondef(oid)) from pg_proc where pronamespace = 'public'::regnamespace`
	if err := db.SelectContext(t.Context(), &lines, q); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// load writes what a gateway of version 3 writes for a lead.
type load struct {
	db *pg.DB
	ws id.UUID
}

func (l *load) insert(ctx context.Context) error {
	const q = `
with l as (
    insert into leads (workspace_id, id, email, email_key, source, status, metadata, created_at, updated_at)
    values ($1, $2, 'someone', cast($2 as uuid), 'api', 'new', '{}', now(), now())
), e as (
    insert into enrichments (workspace_id, lead_id, due_at) values ($1, $2, now())
), v as (
    insert into events (workspace_id, id, type, lead_id, data, created_at) values ($1, $2, 'lead.created', $2, '{}', now())
)
insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
select $1, $2, id, $2, 'pending', now(), now(), now() from (select cast($1 as uuid) as id) e
 where not exists (select from endpoints where workspace_id = $1)
   and not exists (select from workspaces where id = $1)
   and not exists (select from api_keys where workspace_id = $1)`
	_, err := l.db.ExecContext(ctx, q, l.ws, id.New())
	return err
}

// readAll is a backup: it reads every table in one transaction, which is open until hold returns.
func readAll(ctx context.Context, db *pg.DB, hold func()) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `set transaction isolation level repeatable read`); err != nil {
		return err
	}
	var tables []string
	if err := tx.SelectContext(ctx, &tables, `
select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition`); err != nil {
		return err
	}
	for _, table := range tables {
		if _, err := tx.ExecContext(ctx, `select count(*) from `+table); err != nil {
			return err
		}
	}
	hold()
	return nil
}

// While one backup after the other reads the database, migrations come to their end, and no lead waits for long. The
// first backups take longer than a lead may wait.
func TestMigrateLetsLeadsIn(t *testing.T) {
	t.Parallel()
	p, _ := pgtest.Start(t)
	db := mustRelease(t, p, 3)
	background, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	began, once := make(chan struct{}), sync.Once{}
	wg.Go(func() {
		takes := 3 * time.Second
		hold := func() {
			once.Do(func() { close(began) })
			select {
			case <-background.Done():
			case <-time.After(takes):
			}
		}
		for n := 1; background.Err() == nil; n++ {
			if n > 2 {
				takes = 100 * time.Millisecond
			}
			if err := readAll(background, db, hold); err != nil && background.Err() == nil {
				t.Errorf("read: %v", err)
			}
		}
	})
	var slowest time.Duration
	inserted := 0
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for l := (load{db, id.New()}); background.Err() == nil; inserted++ {
			<-tick.C
			at := time.Now()
			if err := l.insert(background); err != nil && background.Err() == nil {
				t.Errorf("insert: %v", err)
			}
			slowest = max(slowest, time.Since(at))
		}
	})
	<-began
	n, err := db.Migrate(t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	stop()
	wg.Wait()
	if want := int(newest(t)) - 3; err != nil || n != want {
		t.Errorf("Migrate() = %d, %v, want %d applied", n, err, want)
	}
	t.Logf("of %d leads the slowest waited %v", inserted, slowest)
	if slowest > 2*time.Second {
		t.Errorf("a lead waited %v, want much less than the first backups took", slowest)
	}
}
