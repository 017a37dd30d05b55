package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"leadgate/shared/devstack"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/testwait"
)

// mustCluster is the Citus cluster that the system runs on, and its database.
func mustCluster(t *testing.T) (*tenant, *pg.DB) {
	t.Helper()
	if os.Getenv(devstack.CitusEnv) == "" {
		t.Skip("runs on Citus: go run ./shared/devstack/matrix -citus")
	}
	c := mustTenant(t)
	db, err := pg.Open(c.DatabaseURL, pg.Options{StatementTimeout: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return c, db
}

// load posts leads of several clients until stop is called, each of which tries an email again until it is taken in, and
// fails t where one that was answered with 201 is not there then. slowest is the longest wait for a 201.
func (c *tenant) load(t *testing.T, what string) (stop func() (slowest time.Duration, again int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var made []string
	var slowest time.Duration
	again := 0
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				began := time.Now()
				for {
					got := c.call(t, "POST", "/api/v1/leads", body(fmt.Sprintf("%s.%d.%d@example.com", what, i, n)))
					mu.Lock()
					if got.status == http.StatusCreated || got.status == http.StatusConflict {
						made, slowest = append(made, got.id(t)), max(slowest, time.Since(began))
						mu.Unlock()
						break
					}
					again++
					mu.Unlock()
					if got.status != http.StatusServiceUnavailable {
						t.Errorf("POST = %v, want 201, or 503 while a node is away", got)
						return
					}
				}
			}
		})
	}
	return func() (time.Duration, int) {
		cancel()
		clients.Wait()
		for _, lead := range made {
			if got := c.call(t, "GET", "/api/v1/leads/"+lead, ""); got.status != http.StatusOK {
				t.Errorf("GET of %s, which was answered with 201 = %v", lead, got)
			}
		}
		t.Logf("%s: %d leads, the slowest after %v, %d answers of 503", what, len(made), slowest.Round(time.Millisecond), again)
		return slowest, again
	}
}

// where is the port of the node that has a workspace, and one of its pieces of a table.
func where(t *testing.T, db *pg.DB, workspace string) (shard int64, port int) {
	t.Helper()
	ws, err := id.Workspace.Parse(workspace)
	if err != nil {
		t.Fatal(err)
	}
	const q = `
select s.shardid, s.nodeport from citus_shards s
 where s.shardid = get_shard_id_for_distribution_column('leads', cast($1 as uuid))`
	if err := db.QueryRowContext(t.Context(), q, ws).Scan(&shard, &port); err != nil {
		t.Fatal(err)
	}
	return shard, port
}

// A workspace is moved to another node while its leads come in: none is refused, and none is lost.
func TestCitusMovesAWorkspace(t *testing.T) {
	c, db := mustCluster(t)
	r := c.mustReceive(t)
	shard, from := where(t, db, c.workspace)
	ports := c.Citus.Ports()
	to := ports[(slices.Index(ports, from)+1)%len(ports)]
	stop := c.load(t, "moved")
	_, err := db.ExecContext(t.Context(), `select citus_move_shard_placement($1, '127.0.0.1', $2, '127.0.0.1', $3)`, shard, from, to)
	_, again := stop()
	if err != nil {
		t.Fatal(err)
	}
	if again > 0 {
		t.Errorf("%d answers of 503, want none", again)
	}
	if _, port := where(t, db, c.workspace); port != to {
		t.Errorf("the workspace is at %d, want %d", port, to)
	}
	lead := c.call(t, "POST", "/api/v1/leads", body("after@example.com")).id(t)
	mustWait(t, r, "lead.created", lead)
}

// A node is killed while leads come in, and comes back: what was answered with 201 is there, and is delivered.
func TestCitusLosesANode(t *testing.T) {
	c, db := mustCluster(t)
	r := c.mustReceive(t)
	_, port := where(t, db, c.workspace)
	node := c.Citus.Nodes[slices.Index(c.Citus.Ports(), port)]
	stop := c.load(t, "lost")
	before := c.call(t, "POST", "/api/v1/leads", body("before@example.com")).id(t)
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	testwait.UntilWithin(t, time.Minute, "503 while the node is away", func() bool {
		return c.call(t, "POST", "/api/v1/leads", body("while@example.com")).status == http.StatusServiceUnavailable
	})
	if err := node.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	testwait.UntilWithin(t, time.Minute, "201 once the node is back", func() bool {
		status := c.call(t, "POST", "/api/v1/leads", body("while@example.com")).status
		return status == http.StatusCreated || status == http.StatusConflict
	})
	stop()
	mustWait(t, r, "lead.created", before)
}
