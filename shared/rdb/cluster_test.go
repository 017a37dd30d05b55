package rdb_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"leadgate/shared/devstack"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/testwait"
)

// request asks for admission of a new lead of a workspace.
func request(workspace id.UUID) rdb.AdmissionRequest {
	return rdb.AdmissionRequest{Workspace: workspace, Rate: limit.NewRate(1000, time.Second, 1000),
		UniqueKey: "x@example.com", LeadID: id.New()}
}

// wantAll wants every workspace to be served, in one call for all.
func wantAll(t *testing.T, c redis.UniversalClient, workspaces []id.UUID) {
	t.Helper()
	var requests []rdb.AdmissionRequest
	var keys []rdb.WakeKey
	for _, ws := range workspaces {
		requests = append(requests, request(ws))
		keys = append(keys, rdb.WakeKey{Workspace: ws, What: "test-" + id.Lead.Format(id.New())})
	}
	for i, a := range rdb.Admit(t.Context(), c, requests) {
		if a.Err != nil || a.Limited {
			t.Fatalf("admission of workspace %d of %d = %+v, want it to pass", i, len(requests), a)
		}
	}
	if idle, err := rdb.Announce(t.Context(), c, nil, keys, nil); err != nil || len(idle) != len(keys) {
		t.Fatalf("Announce() = %d idle keys, %v, want all %d", len(idle), err, len(keys))
	}
}

func newWorkspaces(n int) []id.UUID {
	all := make([]id.UUID, n)
	for i := range all {
		all[i] = id.New()
	}
	return all
}

// TestOneAddressOfACluster has a URL with the address of one node, as managed clusters have a configuration endpoint.
func TestOneAddressOfACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, devstack.ClusterOptions{})
	workspaces := newWorkspaces(30)
	for _, url := range []string{cluster.Nodes[1].URL(), cluster.Nodes[2].URL() + "?cluster=true", cluster.URL()} {
		c := redistest.OpenURL(t, url, rdb.Options{Timeout: 5 * time.Second})
		if s := rdb.Ready(t.Context(), c); !s.OK() || s.Nodes != 3 {
			t.Fatalf("Ready() at %s = %v of %d nodes, %v, want ok of 3", url, s, s.Nodes, s.Err)
		}
		wantAll(t, c, workspaces)
	}
	c := redistest.OpenURL(t, cluster.URL(), rdb.Options{})
	for _, ws := range workspaces {
		if _, n, err := rdb.DeleteKeys(t.Context(), c, ws, 0, time.Now().Add(time.Minute)); err != nil || n != 5 {
			t.Errorf("DeleteKeys() = %d keys, %v, want a rate, an email and three wake-ups", n, err)
		}
	}
	alone := redistest.OpenURL(t, cluster.Nodes[0].URL()+"?cluster=false", rdb.Options{})
	if s := rdb.Ready(t.Context(), alone); s.Mistake == "" {
		t.Errorf("Ready() of a node taken for a server = %v, %v, want a mistake", s, s.Err)
	}
}

// TestOneAddressThatAnswersLater has processes that start before Redis does.
func TestOneAddressThatAnswersLater(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"a server": nil, "a cluster": {"--cluster-enabled", "yes"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := redistest.StartWith(t, devstack.RedisOptions{Args: args})
			r.Kill()
			c := redistest.OpenURL(t, r.URL(), rdb.Options{Breaker: &rdb.Breaker{}})
			if s := rdb.Ready(t.Context(), c); s.OK() || s.Mistake != "" {
				t.Fatalf("Ready() while nothing answers = %v, want away", s)
			}
			if err := r.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if args != nil {
				node := redistest.OpenURL(t, r.URL()+"?cluster=false", rdb.Options{})
				own := []any{"cluster", "addslots"} // Redis before 7 takes no range
				for slot := range 16384 {
					own = append(own, slot)
				}
				if err := node.Do(t.Context(), own...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			testwait.Until(t, "Redis is used", func() bool { return rdb.Ready(t.Context(), c).OK() })
			wantAll(t, c, newWorkspaces(5))
		})
	}
}

// TestKilledMaster kills one master of three. What is at the others goes on at once, and what was there soon after its
// replica has become the master.
func TestKilledMaster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, devstack.ClusterOptions{Replica: true, Timeout: time.Second})
	c := redistest.OpenURL(t, cluster.URL(), rdb.Options{Breaker: &rdb.Breaker{Log: slog.New(slog.DiscardHandler)}})
	workspaces := newWorkspaces(60)
	wantAll(t, c, workspaces)
	cluster.Nodes[0].Kill()
	later := redistest.OpenURL(t, cluster.Nodes[0].URL(), rdb.Options{Breaker: &rdb.Breaker{}}) // knows only this address
	if err := cluster.Nodes[0].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, client := range []redis.UniversalClient{c, later} {
		testwait.Until(t, "the node is there again", func() bool { return rdb.Ready(t.Context(), client).OK() })
	}
	served := func() (n int, longest time.Duration) {
		var requests []rdb.AdmissionRequest
		for _, ws := range workspaces {
			requests = append(requests, request(ws))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		start := time.Now()
		for _, a := range rdb.Admit(ctx, c, requests) {
			if a.Err == nil {
				n++
			}
		}
		return n, time.Since(start)
	}
	cluster.Nodes[0].Kill()
	killed := time.Now()
	n, _ := served()
	if n < len(workspaces)/3 || n == len(workspaces) {
		t.Errorf("workspaces that are served right after = %d of %d, want those of two masters", n, len(workspaces))
	}
	if s := rdb.Ready(t.Context(), c); s.Down != 1 || s.Nodes != 3 || s.Mistake != "" {
		t.Errorf("Ready() = %v, %v, want 1 of 3 nodes away", s, s.Err)
	}
	var slow, calls int
	testwait.Until(t, "all workspaces are served again", func() bool {
		n, took := served()
		if calls++; took > 100*time.Millisecond {
			slow++
		}
		return n == len(workspaces)
	})
	felt := time.Since(killed)
	t.Logf("felt for %v; %d of %d calls took longer than 100 ms", felt.Round(10*time.Millisecond), slow, calls)
	if felt > 20*time.Second {
		t.Errorf("a killed master is felt for %v, want a few seconds", felt)
	}
	testwait.Until(t, "who knew only that node knows the others", func() bool {
		s := rdb.Ready(t.Context(), later)
		return s.OK() && s.Nodes == 3
	})
}
