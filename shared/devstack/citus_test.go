package devstack_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"leadgate/shared/devstack"
	"leadgate/shared/pg"
)

// A Citus cluster has its nodes in each database that is made in it.
func TestCitus(t *testing.T) {
	t.Parallel()
	c, err := devstack.StartCitus(t.Context(), devstack.PostgresOptions{Dir: filepath.Join(t.TempDir(), "pg"), Getenv: os.Getenv}, 2)
	if errors.Is(err, devstack.ErrNoCitus) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop() })
	if err := c.EnsureDatabase(t.Context(), "leadgate"); err != nil {
		t.Fatal(err)
	}
	db, err := pg.Open(c.URL("leadgate"), pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `
create table kept (id int);
select create_distributed_table('kept', 'id');
insert into kept select generate_series(1, 100)`); err != nil {
		t.Fatal(err)
	}
}
