package pgtest_test

import (
	"testing"

	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// Two tests' databases are migrated and know nothing of each other.
func TestNewIsMigratedAndAlone(t *testing.T) {
	t.Parallel()
	one, two := pgtest.New(t), pgtest.New(t)
	for _, db := range []*pg.DB{one, two} {
		if err := db.CheckSchema(t.Context()); err != nil {
			t.Fatalf("CheckSchema() = %v, want nil", err)
		}
	}
	if _, err := one.ExecContext(t.Context(), "create table only_here (n int)"); err != nil {
		t.Fatal(err)
	}
	var there bool
	if err := two.GetContext(t.Context(), &there, "select to_regclass('only_here') is not null"); err != nil || there {
		t.Errorf("the other test's table is here: %v, %v", there, err)
	}
}

func TestDropsAtTheEnd(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("inner", func(t *testing.T) {
		url = pgtest.URL(t)
		db, err := pg.Open(url, pg.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.PingContext(t.Context()); err != nil { // stays connected, which must not keep the database
			t.Fatal(err)
		}
	})
	db, err := pg.Open(url, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.PingContext(t.Context()); pg.Code(err) != "3D000" {
		t.Errorf("Ping after the test = %v, want SQLSTATE 3D000, no such database", err)
	}
}

func TestStartIsOwnCluster(t *testing.T) {
	t.Parallel()
	p, url := pgtest.Start(t)
	db, err := pg.Open(url, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.CheckSchema(t.Context()); err != nil {
		t.Fatalf("CheckSchema() = %v, want nil", err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := db.PingContext(t.Context()); err == nil {
		t.Error("Postgres answers after Stop")
	}
	if err := pgtest.New(t).PingContext(t.Context()); err != nil {
		t.Errorf("the shared cluster = %v, want it untouched", err)
	}
}
