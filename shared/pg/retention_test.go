package pg_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

const (
	month = 30 * 24 * time.Hour
	year  = 365 * 24 * time.Hour
)

// monday is the start of the week n weeks ago.
func monday(n int) time.Time {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	return today.AddDate(0, 0, -(int(today.Weekday())+6)%7-7*n)
}

// part names the partition of a table n weeks ago.
func part(table string, n int) string { return table + "_" + monday(n).Format("20060102") }

// mustPast makes a delivery with its event and an attempt n weeks ago and returns the delivery's id.
func (d *desk) mustPast(n int, state webhook.State) (delivery id.UUID) {
	d.Helper()
	at := monday(n).Add(time.Duration(12+len(state)) * time.Hour)
	d.exec(`select ensure_partitions($1, $1)`, at)
	const q = `
with ev as (
    insert into events (workspace_id, id, type, data, created_at)
    select $1, (left(uuid_floor($3)::text, 18) || right(gen_random_uuid()::text, 18))::uuid, 'lead.created', '{}', $3 returning id
), at as (
    insert into attempts (workspace_id, delivery_id, id, number, latency_ms, created_at) select $1, delivery_id(id, $2), id, 1, 5, $3 from ev
)
insert into deliveries (workspace_id, id, endpoint_id, event_id, state, next_at, created_at, updated_at)
select $1, delivery_id(id, $2), $2, id, $4, case when $4 = 'pending' then now() end, $3, $3 from ev returning id`
	if err := d.db.GetContext(d.Context(), &delivery, q, d.ws, d.endpoint.ID, at, string(state)); err != nil {
		d.Fatal(err)
	}
	return delivery
}

// mustDrop drops what is older than a month and fails unless that succeeds.
func (d *desk) mustDrop() (dropped, kept []string) {
	d.Helper()
	out, err := d.db.DropOldPartitions(d.Context(), month, year)
	if err != nil {
		d.Fatalf("DropOldPartitions = %+v, %v, want no error", out, err)
	}
	return out.Partitions, out.Kept
}

// count is of the rows a query yields.
func (d *desk) count(query string, args ...any) (n int) {
	d.Helper()
	if err := d.db.GetContext(d.Context(), &n, `select count(*) from (`+query+`) as q`, args...); err != nil {
		d.Fatal(err)
	}
	return n
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Whole weeks go when they are old. What is still pending stays, with its event; its attempts go by their age.
func TestOldPartitionsAreDropped(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustPast(8, webhook.Delivered)
	d.mustPast(7, webhook.Exhausted)
	waits := d.mustPast(7, webhook.Pending)
	d.mustPast(6, webhook.Held)
	d.mustPast(4, webhook.Delivered) // ended less than a month ago
	d.mustLeads(1)

	dropped, kept := d.mustDrop()
	same(t, "dropped", dropped, []string{part("deliveries", 8), part("deliveries", 6), part("events", 8), part("events",
		6),
		part("attempts", 8), part("attempts", 7), part("attempts", 6)})
	same(t, "kept", kept, []string{part("deliveries", 7)})
	for query, want := range map[string]int{
		`select from deliveries`: 4, `select from events`: 4, `select from attempts`: 1,
		`select from deliveries d join events v on v.workspace_id = d.workspace_id and v.id = d.event_id where d.state = 'pending'`: 2,
	} {
		if got := d.count(query); got != want {
			t.Errorf("rows of %q = %d, want %d", query, got, want)
		}
	}
	dropped, kept = d.mustDrop()
	same(t, "dropped again", dropped, nil)
	same(t, "kept again", kept, []string{part("deliveries", 7)})

	d.exec(`update deliveries set state = 'delivered', next_at = null where workspace_id = $1 and id = $2`, d.ws, waits)
	dropped, kept = d.mustDrop()
	same(t, "dropped once it is delivered", dropped, []string{part("deliveries", 7), part("events", 7)})
	same(t, "kept once it is delivered", kept, nil)
}

// A week is kept until its last moment is old enough.
func TestRetentionCountsFromTheEndOfTheWeek(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustPast(3, webhook.Delivered)
	age := time.Since(monday(2)) // of its end
	for _, c := range []struct {
		keep time.Duration
		want []string
	}{{age + time.Minute, nil}, {age - time.Second, []string{part("attempts", 3), part("deliveries", 3), part("events",
		3)}}} {
		out, err := d.db.DropOldPartitions(t.Context(), c.keep, year)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("dropped, kept for %s", c.keep), out.Partitions, c.want)
	}
}

// Somebody reads for long: it waits for him a little, disturbs neither him nor writers, and finishes the next time.
func TestReadersAndWritersGoOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustPast(8, webhook.Delivered)
	d.mustPast(7, webhook.Delivered)
	reader, err := d.db.BeginTxx(t.Context(), &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback()
	read := func() (n int) {
		t.Helper()
		if err := reader.GetContext(t.Context(), &n, `select count(*) from deliveries`); err != nil {
			t.Fatalf("read: %v", err)
		}
		return n
	}
	if got := read(); got != 2 {
		t.Fatalf("read = %d, want 2", got)
	}

	type result struct {
		dropped []string
		err     error
	}
	ended := make(chan result, 1)
	go func() {
		out, err := d.db.DropOldPartitions(t.Context(), month, year)
		ended <- result{out.Partitions, err}
	}()
	var first result
	var slowest time.Duration
	writes, start := 0, time.Now()
	for first.err == nil {
		began := time.Now()
		d.mustLeads(1)
		if jobs := d.take(id.New(), time.Duration(writes)*time.Minute, 1); len(jobs) != 1 {
			t.Fatalf("LeaseDue meanwhile = %d jobs, want 1", len(jobs))
		}
		slowest = max(slowest, time.Since(began))
		if writes++; writes%50 == 0 && read() != 2 {
			t.Fatal("what the reader sees has changed")
		}
		select {
		case first = <-ended:
			if first.err == nil {
				t.Fatalf("DropOldPartitions = %v while somebody reads, want an error", first.dropped)
			}
		default:
		}
	}
	if kind := fault.From(first.err).Kind; kind != fault.Unavailable {
		t.Errorf("DropOldPartitions = %v (%v), want it to be UNAVAILABLE", first.err, kind)
	}
	same(t, "dropped while somebody reads deliveries", first.dropped, []string{part("attempts", 8), part("attempts", 7)})
	if all := time.Since(start); writes < 5 || slowest > all/2 {
		t.Errorf("in %s %d writes, the slowest in %s, want many, none of which waits for the reader", all, writes, slowest)
	}
	if got := read(); got != 2 {
		t.Errorf("read after it = %d, want 2", got)
	}
	if err := reader.Commit(); err != nil {
		t.Fatal(err)
	}
	dropped, kept := d.mustDrop()
	same(t, "dropped the next time", dropped, []string{part("deliveries", 8), part("deliveries", 7), part("events", 8),
		part("events", 7)})
	same(t, "kept the next time", kept, nil)
	if got := d.count(`select from deliveries`); got != writes {
		t.Errorf("deliveries = %d, want the %d written meanwhile", got, writes)
	}
}

// What becomes pending while retention waits for its lock is not dropped.
func TestPendingIsSeenUnderTheLock(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	again := d.mustPast(8, webhook.Delivered)
	d.mustPast(7, webhook.Delivered)
	tx, err := d.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), `select from deliveries`); err != nil {
		t.Fatal(err)
	}
	var out pg.Dropped
	ended := make(chan error, 1)
	go func() {
		var err error
		out, err = d.db.DropOldPartitions(t.Context(), month, year)
		ended <- err
	}()
	testwait.Until(t, "retention waits for the lock", func() bool {
		return d.count(`select from pg_locks where relation = 'deliveries'::regclass and not granted`) == 1
	})
	const q = `update deliveries set state = 'pending', next_at = now() where workspace_id = $1 and id = $2`
	if _, err := tx.ExecContext(t.Context(), q, d.ws, again); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	same(t, "kept", out.Kept, []string{part("deliveries", 8)})
	if jobs := d.take(id.New(), 0, 10); len(jobs) != 1 {
		t.Errorf("LeaseDue = %d jobs, want the one that was sent again, with its event", len(jobs))
	}
	d.exec(`update deliveries set state = 'delivered', next_at = null`)
	dropped, _ := d.mustDrop()
	same(t, "dropped once it is delivered", dropped, []string{part("deliveries", 8), part("events", 8)})
}

// What a former version detached and did not drop is dropped, unless something in it is owed. What somebody else
// detached stays, and so does what only looks like it.
func TestDetachedLeftoversAreDropped(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	d := newDesk(t, mustOpen(t, url, pg.Options{}))
	for _, n := range []int{10, 9, 8, 7, 3} {
		state := webhook.Delivered
		if n == 8 {
			state = webhook.Pending
		}
		d.mustPast(n, state)
		d.exec(`alter table deliveries detach partition ` + part("deliveries", n))
		if n == 9 || n == 8 {
			d.exec(`comment on table ` + part("deliveries", n) + ` is 'leadgate: retention drops this'`)
		}
	}
	interrupted := d.mustInterrupt(url, 11)
	archive, tuesday := part("deliveries", 7)+"_archive", "deliveries_"+monday(7).AddDate(0, 0, 1).Format("20060102")
	d.exec(`alter table ` + part("deliveries", 7) + ` rename to ` + archive)
	d.exec(`create table ` + tuesday +
		` (); create table deliveries_20269999 (); create table "old-deliveries_20200106" (); create table events_20250106 ()`)

	dropped, kept := d.mustDrop()
	same(t, "dropped", dropped, []string{interrupted, part("events", 11), part("attempts", 11),
		part("deliveries", 9), part("events", 10), part("events", 9), part("events", 7),
		part("attempts", 10), part("attempts", 9), part("attempts", 8), part("attempts", 7)})
	same(t, "kept", kept, []string{part("deliveries", 8)})
	if got := d.count(`select from deliveries`); got != 1 {
		t.Errorf("deliveries = %d, want the pending one, which is brought back", got)
	}
	for _, table := range []string{archive, tuesday, part("deliveries", 10), part("deliveries", 3), `deliveries_20269999`,
		`"old-deliveries_20200106"`, `events_20250106`} {
		if d.count(`select where to_regclass($1) is not null`, table) != 1 {
			t.Errorf("table %s is gone, want it kept", table)
		}
	}
}

// mustInterrupt begins to detach a week of deliveries, as a former version did, which a reader keeps from its end.
func (d *desk) mustInterrupt(url string, n int) (name string) {
	d.Helper()
	d.mustPast(n, webhook.Delivered)
	name = part("deliveries", n)
	d.exec(`comment on table ` + name + ` is 'leadgate: retention drops this'`)
	tx, err := d.db.BeginTxx(d.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		d.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(d.Context(), `select from deliveries`); err != nil {
		d.Fatal(err)
	}
	limited := mustOpen(d.T, url+"&lock_timeout=100", pg.Options{})
	_, err = limited.ExecContext(d.Context(), `alter table deliveries detach partition `+name+` concurrently`)
	if err == nil {
		d.Fatal("a week was detached beside a reader")
	}
	return name
}

// Held deliveries that are dropped with their week are told, endpoint by endpoint. What waits for the end of a suspension
// is as good as held: it does not keep the weeks of everybody.
func TestDroppedHeldDeliveriesAreCounted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	other := newDesk(t, d.db)
	d.mustPast(8, webhook.Held)
	d.mustPast(8, webhook.Held)
	d.mustPast(8, webhook.Exhausted)
	d.mustPast(3, webhook.Held)
	other.mustPast(8, webhook.Held)
	suspended := newDesk(t, d.db)
	for range 3 {
		suspended.mustPast(8, webhook.Pending)
	}
	if _, err := d.db.SuspendWorkspace(t.Context(), suspended.ws, time.Now(), "unpaid"); err != nil {
		t.Fatal(err)
	}
	out, err := d.db.DropOldPartitions(t.Context(), month, year)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out.Held, func(a, b pg.HeldCount) int { return b.Deliveries - a.Deliveries })
	want := []pg.HeldCount{
		{EndpointRef: pg.EndpointRef{Workspace: suspended.ws, Endpoint: suspended.endpoint.ID}, Deliveries: 3},
		{EndpointRef: pg.EndpointRef{Workspace: d.ws, Endpoint: d.endpoint.ID}, Deliveries: 2},
		{EndpointRef: pg.EndpointRef{Workspace: other.ws, Endpoint: other.endpoint.ID}, Deliveries: 1}}
	if diff := cmp.Diff(want, out.Held); diff != "" {
		t.Errorf("held deliveries that were dropped (-want +got):\n%s", diff)
	}
}

// Of several workers at once one drops each partition, and none fails.
func TestSeveralDropAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	var want []string
	for n := 6; n < 12; n++ {
		d.mustPast(n, webhook.Delivered)
		want = append(want, part("deliveries", n), part("events", n), part("attempts", n))
	}
	var mu sync.Mutex
	var got []string
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			out, err := d.db.DropOldPartitions(t.Context(), month, year)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, out.Partitions...)
		})
	}
	all.Wait()
	same(t, "dropped by all", got, want)
}

// A run that is cut short leaves no lock and no open connection behind.
func TestDropIsCutShort(t *testing.T) {
	t.Parallel()
	d := newDesk(t, pgtest.New(t))
	d.mustPast(8, webhook.Delivered)
	reader, err := d.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback()
	if _, err := reader.ExecContext(t.Context(), `select from deliveries`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := d.db.DropOldPartitions(ctx, month, year); err == nil {
		t.Error("DropOldPartitions succeeded in spite of its deadline")
	}
	reader.Rollback()
	testwait.Until(t, "the lock of retention is released", func() bool {
		return d.count(`select from pg_locks where locktype = 'advisory' and database = (
			select oid from pg_database where datname = current_database())`) == 0
	})
	dropped, _ := d.mustDrop()
	same(t, "dropped the next time", dropped, []string{part("deliveries", 8), part("events", 8), part("attempts", 8)})
}

func TestDeleteOld(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d := newDesk(t, db)
	deleted := func(days int) id.UUID {
		e := d.mustEndpoint(true)
		d.exec(`update endpoints set deleted_at = now() - make_interval(days => $2) where id = $1`, e.ID, days)
		return e.ID
	}
	replay := func(state webhook.ReplayState, days int) {
		d.exec(`insert into replays (workspace_id, id, filter, rate, state, created_at, updated_at, finished_at)
select $1, $2, '{}', 1, $3, now(), now(), case when $3 <> 'running' then now() - make_interval(days => $4) end`, d.ws, id.New(), string(state), days)
	}
	deleted(38)
	young := deleted(36)
	read := deleted(50)
	d.exec(
		`insert into deliveries (workspace_id, id, endpoint_id, event_id, state, created_at, updated_at) values ($1, $2, $3, $2, 'cancelled', now(), now())`, d.ws, id.New(), read)
	for _, state := range []webhook.ReplayState{webhook.ReplayDone, webhook.ReplayCancelled, webhook.ReplayRunning} {
		replay(state, 31)
		replay(state, 29)
	}
	endpoints, replays, err := db.DeleteOld(t.Context(), month)
	if err != nil || endpoints != 1 || replays != 2 {
		t.Errorf("DeleteOld = %d endpoints, %d replays, %v, want 1 and 2", endpoints, replays, err)
	}
	if got := d.count(`select from endpoints where id in ($1, $2, $3)`, d.endpoint.ID, young, read); got != 3 {
		t.Errorf("endpoints in use, deleted of late, or with deliveries left = %d, want all 3", got)
	}
	if got := d.count(`select from replays where state = 'running'`); got != 2 {
		t.Errorf("running replays = %d, want 2", got)
	}

	// More than one batch.
	d.exec(`insert into endpoints (workspace_id, id, url, description, event_types, secret, enabled, created_at, updated_at, deleted_at)
select $1, gen_random_uuid(), '', '', '{}', '', false, now(), now(), now() - interval '1 year' from generate_series(1, 2500)`, d.ws)
	if endpoints, _, err := db.DeleteOld(t.Context(), month); err != nil || endpoints != 2500 {
		t.Errorf("DeleteOld = %d endpoints, %v, want 2500", endpoints, err)
	}
}
