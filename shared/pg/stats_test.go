package pg_test

import (
	"slices"
	"testing"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

func TestReadStats(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	tx, err := db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`select 1`); err != nil {
		t.Fatal(err)
	}
	s, err := db.ReadStats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Bytes == 0 || s.OldestTransaction <= 0 || s.Connections == 0 || s.Most < s.Connections || s.ReadOnly {
		t.Errorf("ReadStats = %+v, want a size, an open transaction and connections", s)
	}
	if ahead := time.Until(s.PartitionsUntil); ahead < 21*24*time.Hour || ahead > 60*24*time.Hour {
		t.Errorf("partitions until %s, want them some weeks ahead", s.PartitionsUntil)
	}
	if !slices.ContainsFunc(s.Tables, func(t pg.TableStats) bool { return t.Name == "deliveries" && t.Bytes > 0 }) ||
		len(s.Tables) != 10 {
		t.Errorf("tables = %+v, want ten, deliveries with all its partitions among them", s.Tables)
	}
}
