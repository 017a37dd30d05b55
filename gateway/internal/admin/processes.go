package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hibiken/asynq"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/heartbeat"
	"leadgate/shared/rdb"
)

const processesPath = root + "processes"

// processesView are the gateways and workers, as JSON and for a page.
type processesView struct {
	Known     bool          `json:"known"`   // false: Redis does not answer, so nobody knows
	Summary   string        `json:"summary"` // what runs, in a sentence
	State     string        `json:"state"`   // good, warn, bad
	Processes []processView `json:"processes"`
}

type processView struct {
	Kind      string `json:"kind"`
	Version   string `json:"version"`
	Host      string `json:"host"`
	PID       int    `json:"pid"`
	Runs      bool   `json:"runs"` // false: it has not been seen for 45 s, and did not say that it ends
	StartedAt string `json:"startedAt"`
	SeenAt    string `json:"seenAt"`
	DBConns   int    `json:"postgresConnections"`
	DBMax     int    `json:"postgresConnectionsMax"`
}

// Tag is whether it runs, in a word.
func (p processView) Tag() tag {
	if p.Runs {
		return tag{"good", "Runs"}
	}
	return tag{"bad", "Not seen"}
}

// Tag is the state in a word.
func (v processesView) Tag() tag { return stateTags[v.State] }

func (s *server) processes(ctx context.Context) processesView {
	v := processesView{Processes: []processView{}, State: "warn",
		Summary: "Redis does not answer, so it is not known which gateways and workers run."}
	now := s.tenants.Now()
	var all []rdb.Process
	var servers []*asynq.ServerInfo
	v.Known = answers(func(limited context.Context) (err error) {
		if all, err = rdb.Processes(limited, s.redis, now); err == nil {
			servers, err = asynq.NewInspectorFromRedisClient(s.redis).Servers()
		}
		return err
	})
	if !v.Known || ctx.Err() != nil {
		return v
	}
	for _, p := range all {
		v.Processes = append(v.Processes, processView{
			Kind: p.Kind, Version: p.Version, Host: p.Host, PID: p.PID, Runs: now.Sub(p.SeenAt) <= heartbeat.Lost,
			StartedAt: stamp(p.StartedAt), SeenAt: stamp(p.SeenAt), DBConns: p.DBConns, DBMax: p.DBMax,
		})
	}
	v.Processes = append(v.Processes, silent(servers, v.Processes)...)
	v.State, v.Summary = sumUp(v.Processes)
	return v
}

// silent are workers that asynq knows of, and that have no heartbeat: their version is older than heartbeats.
func silent(servers []*asynq.ServerInfo, known []processView) (others []processView) {
	for _, server := range servers { // several of one process
		same := func(p processView) bool { return p.Kind == "worker" && p.Host == server.Host && p.PID == server.PID }
		if !slices.ContainsFunc(known, same) && !slices.ContainsFunc(others, same) {
			others = append(others, processView{Kind: "worker", Version: "an older version", Host: server.Host, PID: server.PID,
				Runs: true, StartedAt: stamp(server.Started)})
		}
	}
	return others
}

// sumUp says what runs, and what is odd about it.
func sumUp(all []processView) (state, summary string) {
	kinds, versions := map[string]int{}, map[string]map[string]int{}
	for _, p := range all {
		if !p.Runs {
			continue
		}
		kinds[p.Kind]++
		if versions[p.Version] == nil {
			versions[p.Version] = map[string]int{}
		}
		versions[p.Version][p.Kind]++
	}
	var parts []string
	for version, of := range versions {
		parts = append(parts, version+" on "+counted(of))
	}
	slices.Sort(parts)
	switch {
	case kinds["worker"] == 0:
		return "bad", "No worker runs that Redis knows of: leads are taken in, and webhooks wait until one does."
	case len(versions) > 1:
		return "warn", fmt.Sprintf("%d versions run: %s. That is right while an upgrade is under way. Otherwise restart "+
			"those of the older version.", len(versions), strings.Join(parts, "; "))
	}
	return "good", "All that run have one version: " + parts[0] + "."
}

// counted is "2 gateways and 1 worker".
func counted(of map[string]int) string {
	var parts []string
	for _, kind := range []string{"gateway", "worker"} {
		switch n := of[kind]; {
		case n == 1:
			parts = append(parts, "1 "+kind)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, kind))
		}
	}
	return strings.Join(parts, " and ")
}

func (s *server) listProcesses(w http.ResponseWriter, r *http.Request) error {
	return httpx.Data(w, http.StatusOK, s.processes(r.Context()))
}

func processesPage(v *visit) error {
	return v.show("processes.html", "Processes", v.processes(v.r.Context()))
}
