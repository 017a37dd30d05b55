package pg_test

import (
	"slices"
	"testing"
	"time"

	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/testwait"
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

// Who may not see the sessions of other roles counts their connections all the same.
func TestReadStatsCountsConnectionsOfOthers(t *testing.T) {
	t.Parallel()
	owner := pgtest.OwnerURL(t)
	other := mustOpen(t, owner, pg.Options{MaxConns: 5})
	for range 5 {
		c, err := other.Connx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	own := mustOpen(t, pgtest.RunURL(t, owner), pg.Options{MaxConns: 1})
	testwait.Until(t, "a count of at least six", func() bool { // Postgres counts those that have begun just now a moment later
		s, err := own.ReadStats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Connections >= 6
	})
}
