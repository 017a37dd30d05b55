// Package task is what gateway and worker say to each other through asynq: names, queues, payloads, and the wake-up.
// A task is a wake-up and never a record: it holds ids, and what is owed stands in Postgres.
package task

import (
	"encoding/json"
	"fmt"

	"github.com/hibiken/asynq"

	"leadgate/shared/id"
	"leadgate/shared/rdb"
)

// Task types.
const (
	TypeDrain  = "webhook:drain"
	TypeEnrich = "lead:enrich"
	TypeSweep  = "upkeep:sweep"
)

// Queues. Each task type has its own, so that none waits behind another.
const (
	QueueWebhook = "webhook"
	QueueEnrich  = "enrich"
	QueueUpkeep  = "upkeep"
)

// Key names the work a wake-up is for: an endpoint's deliveries, or, with a zero Endpoint, a workspace's enrichment.
type Key struct {
	Workspace id.UUID
	Endpoint  id.UUID
}

// Drain is the key of an endpoint's deliveries.
func Drain(workspace, endpoint id.UUID) Key { return Key{workspace, endpoint} }

// Enrich is the key of a workspace's enrichment.
func Enrich(workspace id.UUID) Key { return Key{Workspace: workspace} }

// Wake is the key's state in Redis.
func (k Key) Wake() rdb.WakeKey {
	if k.Endpoint == (id.UUID{}) {
		return rdb.WakeKey{Workspace: k.Workspace, What: "enrich"}
	}
	return rdb.WakeKey{Workspace: k.Workspace, What: id.Endpoint.Format(k.Endpoint)}
}

// String reads well in the queue dashboard: "endpoint we_... of ws_...".
func (k Key) String() string {
	if k.Endpoint == (id.UUID{}) {
		return "leads of " + id.Workspace.Format(k.Workspace)
	}
	return "endpoint " + id.Endpoint.Format(k.Endpoint) + " of " + id.Workspace.Format(k.Workspace)
}

// payload is version 1 of a wake-up's JSON. A reader takes every version ever written; a new version is read before it is written.
type payload struct {
	Version   int    `json:"v"`
	Workspace string `json:"workspace"`
	Endpoint  string `json:"endpoint,omitempty"`
}

func (k Key) task() *asynq.Task {
	p := payload{Version: 1, Workspace: id.Workspace.Format(k.Workspace)}
	kind := TypeEnrich
	if k.Endpoint != (id.UUID{}) {
		p.Endpoint = id.Endpoint.Format(k.Endpoint)
		kind = TypeDrain
	}
	text, _ := json.Marshal(p) // three plain fields: cannot fail
	return asynq.NewTask(kind, text)
}

func (k Key) queue() string {
	if k.Endpoint == (id.UUID{}) {
		return QueueEnrich
	}
	return QueueWebhook
}

// ParseKey reads a wake-up's payload.
func ParseKey(text []byte) (k Key, err error) {
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return k, fmt.Errorf("task payload: %w", err)
	}
	if p.Version != 1 {
		return k, fmt.Errorf("task payload: version %d is newer than this worker", p.Version)
	}
	if k.Workspace, err = id.Workspace.Parse(p.Workspace); err != nil {
		return k, fmt.Errorf("task payload: workspace: %w", err)
	}
	if p.Endpoint != "" {
		if k.Endpoint, err = id.Endpoint.Parse(p.Endpoint); err != nil {
			return k, fmt.Errorf("task payload: endpoint: %w", err)
		}
	}
	return k, nil
}
