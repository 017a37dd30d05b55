package conn_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/jmoiron/sqlx"

	"leadgate/shared/fault"
	"leadgate/shared/pg/conn"
	"leadgate/shared/pg/pgtest"
)

func TestReadRows(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), pgtest.New(t)
	missing := fault.New(fault.NotFound, "missing")
	const some = `select n from generate_series(1, $1) n order by n`

	all, err := conn.Collect(ctx, db, "list", conn.Value[int], some, 3)
	if err != nil || !slices.Equal(all, []int{1, 2, 3}) {
		t.Errorf("Collect() = %v, %v, want 1 2 3", all, err)
	}
	if all, err = conn.Collect(ctx, db.Prepared(), "list", conn.Value[int], some, 0); err != nil || all != nil {
		t.Errorf("Collect() of no rows = %v, %v, want nil", all, err)
	}
	if n, ok, err := conn.Find(ctx, db, "find", conn.Value[int], some, 3); n != 1 || !ok || err != nil {
		t.Errorf("Find() = %v, %v, %v, want the first row", n, ok, err)
	}
	if _, ok, err := conn.Find(ctx, db, "find", conn.Value[int], some, 0); ok || err != nil {
		t.Errorf("Find() of no rows = %v, %v, want false", ok, err)
	}
	if _, err := conn.One(ctx, db, "get", conn.Value[int], missing, some, 0); !errors.Is(err, missing) {
		t.Errorf("One() of no rows = %v, want what it was given", err)
	}
	// What fails after the first row fails the read.
	const late = `select 1 / (2 - n) from generate_series(1, 2) n`
	if _, ok, err := conn.Find(ctx, db, "find", conn.Value[int], late); ok || !errors.Is(err, conn.ErrRejected) {
		t.Errorf("Find() with a late error = %v, %v, want ErrRejected", ok, err)
	}
	if _, err := conn.Collect(ctx, db, "list", conn.Value[bool], `select 'x'`); err == nil {
		t.Error("Collect() of rows that cannot be scanned = nil, want an error")
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	const tables = `
create table parent (n int primary key check (n > 0)); create table child (n int references parent); create table locked (n int);
create table weeks (n int) partition by range (n);
insert into parent values (1)`
	pgtest.Exec(t, db, tables)
	tx, err := db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	if _, err := tx.ExecContext(t.Context(), `lock table locked`); err != nil {
		t.Fatal(err)
	}
	known := []error{conn.ErrRejected, conn.ErrUniqueViolation, conn.ErrForeignKeyViolation, conn.ErrNoPartition,
		conn.ErrDeadlock,
		conn.ErrLockTimeout, conn.ErrStatementTimeout}
	for name, tc := range map[string]struct {
		query       string
		want        []error
		unavailable bool
	}{
		"unique":      {`insert into parent values (1)`, []error{conn.ErrUniqueViolation, conn.ErrRejected}, false},
		"foreign key": {`insert into child values (2)`, []error{conn.ErrForeignKeyViolation, conn.ErrRejected}, false},
		"check":       {`insert into parent values (-1)`, []error{conn.ErrRejected}, false},
		"partition":   {`insert into weeks values (1)`, []error{conn.ErrNoPartition}, false},
		"syntax":      {`nonsense`, []error{conn.ErrRejected}, false},
		"lock":        {`set local lock_timeout = 10; lock table locked`, []error{conn.ErrLockTimeout}, true},
		"too slow":    {`set local statement_timeout = 10; select pg_sleep(60)`, []error{conn.ErrStatementTimeout}, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := db.InTx(t.Context(), func(tx *sqlx.Tx) error {
				_, err := conn.Exec(t.Context(), tx, "test", tc.query)
				return err
			})
			for _, e := range known {
				if got, want := errors.Is(err, e), slices.Contains(tc.want, e); got != want {
					t.Errorf("errors.Is(%v, %v) = %v, want %v", err, e, got, want)
				}
			}
			if got := fault.Is(err, fault.Unavailable); got != tc.unavailable {
				t.Errorf("fault.Is(%v, Unavailable) = %v, want %v", err, got, tc.unavailable)
			}
		})
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fails int // how often
		err   error
		tries int
		want  error
	}{
		"once":       {1, conn.ErrRetry, 2, nil},
		"for ever":   {100, conn.ErrRetry, 8, conn.ErrRetry},
		"other":      {1, conn.ErrRejected, 1, conn.ErrRejected},
		"not at all": {0, nil, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tries := 0
			err := conn.Retry(t.Context(), func() error {
				if tries++; tries <= tc.fails {
					return tc.err
				}
				return nil
			})
			if tries != tc.tries || !errors.Is(err, tc.want) {
				t.Errorf("Retry() = %v after %d tries, want %v after %d", err, tries, tc.want, tc.tries)
			}
		})
	}
}

func TestDeleteInBatches(t *testing.T) {
	t.Parallel()
	ctx, db := t.Context(), pgtest.New(t)
	pgtest.Exec(t, db, `create table numbers as select n from generate_series(1, 2600) n`)
	const q = `delete from numbers where ctid in (select ctid from numbers where n > $1 limit $2)`
	if n, err := conn.DeleteInBatches(ctx, db, "delete numbers", q, 100); n != 2500 || err != nil {
		t.Errorf("DeleteInBatches() = %d, %v, want 2500", n, err)
	}
}
