package webhook

import (
	"time"

	"leadgate/shared/id"
)

// Filter matches deliveries of a workspace. A zero field matches all.
type Filter struct {
	EndpointID id.UUID   `json:"endpointId,omitzero"`
	States     []State   `json:"states,omitempty"`
	EventType  string    `json:"eventType,omitempty"`
	LeadID     id.UUID   `json:"leadId,omitzero"`
	From       time.Time `json:"from,omitzero"`  // the event happened at this time or later
	Until      time.Time `json:"until,omitzero"` // and before this one
}

// Replay is a job that sends again what a filter picks, at a bounded rate. It survives any restart: where it stands is
// in Postgres.
type Replay struct {
	WorkspaceID id.UUID
	ID          id.UUID
	Filter      Filter
	Rate        int // deliveries per second
	State       ReplayState
	Total       *int // deliveries that matched when it began; nil until they are counted
	Resent      int
	CreatedAt   time.Time
	UpdatedAt   time.Time
	FinishedAt  *time.Time
}

// ReplayState is the state of a replay.
type ReplayState string

// The states.
const (
	ReplayRunning   ReplayState = "running"
	ReplayDone      ReplayState = "done"
	ReplayCancelled ReplayState = "cancelled"
)

// Limits of replays.
const (
	MaxReplays        = 10 // running, per workspace
	MaxReplayRate     = 1000
	DefaultReplayRate = 100
)
