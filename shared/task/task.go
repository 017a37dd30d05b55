// Package task is the contract between gateway and worker over asynq: task types, queues, payloads, and the wake-up.
// A task is a wake-up and never a record: it holds ids, and the work itself is in Postgres.
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
	TypeWoken  = "webhook:woken"
	TypeProbe  = "webhook:probe"
	TypeTest   = "webhook:test"
	TypeReplay = "webhook:replay"
	TypeImport = "lead:import"
	TypeEnrich = "lead:enrich"
	TypeDue    = "lead:enrich-due"
	TypeSweep  = "upkeep:sweep"
)

// Queues. None waits behind another, and failing endpoints have one of their own.
const (
	QueueWebhook = "webhook"
	QueueFailing = "failing" // one task for each endpoint that fails: in retry, with the reason as its error
	QueueReplay  = "replay"
	QueueImport  = "import"
	QueueEnrich  = "enrich"
	QueueUpkeep  = "upkeep"
)

// Queues returns the names of all queues.
func Queues() []string {
	return []string{QueueWebhook, QueueFailing, QueueReplay, QueueImport, QueueEnrich, QueueUpkeep}
}

// Key names the work a task is for: an endpoint's deliveries, one of them, a replay, an import, with nothing but a
// workspace its enrichment, or of all workspaces EnrichDue and DrainWoken.
type Key struct {
	Workspace id.UUID
	Endpoint  id.UUID
	Delivery  id.UUID // of a test
	Replay    id.UUID
	Import    id.UUID
	Woken     bool // of DrainWoken
}

// Drain is the key of an endpoint's deliveries.
func Drain(workspace, endpoint id.UUID) Key { return Key{Workspace: workspace, Endpoint: endpoint} }

// Enrich is the key of the enrichment of one workspace that has many leads waiting.
func Enrich(workspace id.UUID) Key { return Key{Workspace: workspace} }

// EnrichDue is the key of enrichment in all workspaces: of those with few leads waiting at once, by one task.
func EnrichDue() Key { return Key{} }

// DrainWoken is the key of the first deliveries that wait at each woken endpoint, of all workspaces: one task sends
// them.
func DrainWoken() Key { return Key{Woken: true} }

// Replay is the key of a replay.
func Replay(workspace, replay id.UUID) Key { return Key{Workspace: workspace, Replay: replay} }

// Import is the key of an import.
func Import(workspace, imp id.UUID) Key { return Key{Workspace: workspace, Import: imp} }

// Wake is the key's state in Redis.
func (k Key) Wake() rdb.WakeKey {
	what := "enrich"
	switch {
	case k.Woken:
		return rdb.WokenTask()
	case k.Endpoint != id.UUID{}:
		what = id.Endpoint.Format(k.Endpoint)
	case k.Replay != id.UUID{}:
		what = id.Replay.Format(k.Replay)
	case k.Import != id.UUID{}:
		what = id.Import.Format(k.Import)
	}
	return rdb.WakeKey{Workspace: k.Workspace, What: what}
}

// String reads well in the queue dashboard: "endpoint we_... of ws_...".
func (k Key) String() string {
	if k.Woken || k == Enrich(k.Workspace) {
		return k.Subject()
	}
	return k.Subject() + " of " + id.Workspace.Format(k.Workspace)
}

// Subject names what the work is on, without its workspace: "endpoint we_...".
func (k Key) Subject() string {
	switch {
	case k.Endpoint != id.UUID{}:
		return "endpoint " + id.Endpoint.Format(k.Endpoint)
	case k.Replay != id.UUID{}:
		return "replay " + id.Replay.Format(k.Replay)
	case k.Import != id.UUID{}:
		return "import " + id.Import.Format(k.Import)
	case k.Woken:
		return "woken endpoints"
	case k == EnrichDue():
		return "leads of all workspaces"
	}
	return "leads of " + id.Workspace.Format(k.Workspace)
}

// payload is version 1 of a task's JSON. A reader takes every version ever written; a new version is read before it is
// written.
type payload struct {
	Version   int    `json:"v"`
	Workspace string `json:"workspace,omitempty"`
	Endpoint  string `json:"endpoint,omitempty"`
	Delivery  string `json:"delivery,omitempty"`
	Replay    string `json:"replay,omitempty"`
	Import    string `json:"import,omitempty"`
	Woken     bool   `json:"woken,omitempty"`
}

// wakeTask is what a wake-up enqueues: the type follows from what the key names.
func (k Key) wakeTask() (*asynq.Task, string) {
	switch {
	case k.Endpoint != id.UUID{}:
		return k.task(TypeDrain), QueueWebhook
	case k.Replay != id.UUID{}:
		return k.task(TypeReplay), QueueReplay
	case k.Import != id.UUID{}:
		return k.task(TypeImport), QueueImport
	case k.Woken:
		return k.task(TypeWoken), QueueWebhook
	case k == EnrichDue():
		return k.task(TypeDue), QueueEnrich
	}
	return k.task(TypeEnrich), QueueEnrich
}

func (k Key) task(kind string) *asynq.Task {
	p := payload{Version: 1, Woken: k.Woken}
	show := func(prefix id.Prefix, u id.UUID) string {
		if u == (id.UUID{}) {
			return ""
		}
		return prefix.Format(u)
	}
	p.Workspace = show(id.Workspace, k.Workspace)
	p.Endpoint, p.Delivery = show(id.Endpoint, k.Endpoint), show(id.Delivery, k.Delivery)
	p.Replay, p.Import = show(id.Replay, k.Replay), show(id.Import, k.Import)
	text, _ := json.Marshal(p) // a few plain fields: cannot fail
	return asynq.NewTask(kind, text)
}

// ParseKey reads a task's payload.
func ParseKey(text []byte) (k Key, err error) {
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return k, fmt.Errorf("task payload: %w", err)
	}
	if p.Version != 1 {
		return k, fmt.Errorf("task payload: version %d is newer than this worker", p.Version)
	}
	switch p {
	case payload{Version: 1}:
		return EnrichDue(), nil
	case payload{Version: 1, Woken: true}:
		return DrainWoken(), nil
	}
	if k.Workspace, err = id.Workspace.Parse(p.Workspace); err != nil {
		return k, fmt.Errorf("task payload: workspace: %w", err)
	}
	for _, f := range []struct {
		name, text string
		prefix     id.Prefix
		to         *id.UUID
	}{{"endpoint", p.Endpoint, id.Endpoint, &k.Endpoint}, {"delivery", p.Delivery, id.Delivery, &k.Delivery},
		{"replay", p.Replay, id.Replay, &k.Replay}, {"import", p.Import, id.Import, &k.Import}} {
		if f.text == "" {
			continue
		}
		if *f.to, err = f.prefix.Parse(f.text); err != nil {
			return k, fmt.Errorf("task payload: %s: %w", f.name, err)
		}
	}
	return k, nil
}
