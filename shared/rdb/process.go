package rdb

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Process is a gateway or a worker that has said that it runs.
type Process struct {
	Kind      string    `json:"kind"` // gateway or worker
	Version   string    `json:"version"`
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"startedAt"`
	SeenAt    time.Time `json:"seenAt"`  // by its own clock
	DBConns   int       `json:"dbConns"` // open connections to Postgres
	DBMax     int       `json:"dbMax"`
}

// field is the process's place in the hash: one that is started again where another died takes its place.
func (p Process) field() string { return fmt.Sprintf("%s %s %d", p.Kind, p.Host, p.PID) }

// Bounds of what is kept of processes.
const (
	ProcessLife  = time.Hour // how long one that is seen no more is kept
	maxProcesses = 500
)

// Beat says that a process runs.
func Beat(ctx context.Context, c redis.UniversalClient, p Process) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, processesKey, p.field(), text)
		pipe.Expire(ctx, processesKey, 2*ProcessLife)
		return nil
	})
	return err
}

// Leave takes a process out that ends.
func Leave(ctx context.Context, c redis.UniversalClient, p Process) error {
	return c.HDel(ctx, processesKey, p.field()).Err()
}

// Processes returns those that were seen within ProcessLife before now, by kind, host and pid, and removes the others.
// They are maxProcesses at most: beyond, those that were seen last.
func Processes(ctx context.Context, c redis.UniversalClient, now time.Time) (all []Process, err error) {
	kept, err := c.HGetAll(ctx, processesKey).Result()
	if err != nil {
		return nil, err
	}
	var gone []string
	for field, text := range kept {
		var p Process
		if json.Unmarshal([]byte(text), &p) != nil || now.Sub(p.SeenAt) > ProcessLife {
			gone = append(gone, field)
			continue
		}
		all = append(all, p)
	}
	if len(all) > maxProcesses {
		slices.SortFunc(all, func(a, b Process) int { return b.SeenAt.Compare(a.SeenAt) })
		for _, p := range all[maxProcesses:] {
			gone = append(gone, p.field())
		}
		all = all[:maxProcesses]
	}
	slices.SortFunc(all, func(a, b Process) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Host, b.Host), cmp.Compare(a.PID, b.PID))
	})
	if len(gone) > 0 {
		err = c.HDel(ctx, processesKey, gone...).Err()
	}
	return all, err
}
