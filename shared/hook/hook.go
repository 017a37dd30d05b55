// Package hook is webhooks as facts and decisions: endpoints, events, deliveries, when to retry, how to sign.
package hook

import (
	"time"

	"leadgate/shared/id"
)

// Event types.
const (
	LeadCreated  = "lead.created"
	LeadEnriched = "lead.enriched"
)

// EventTypes returns every type an endpoint can subscribe to by name.
func EventTypes() []string { return []string{LeadCreated, LeadEnriched} }

// Endpoint is where a workspace wants its events sent.
type Endpoint struct {
	WorkspaceID id.UUID
	ID          id.UUID
	URL         string
	Description string
	EventTypes  []string
	Secret      string // whsec_...; shown once, when the endpoint is made
	Enabled     bool
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Limits of endpoints.
const (
	MaxEndpoints   = 50   // per workspace: each is a row to write for every event, in a commit that other workspaces' leads share
	MaxURL         = 2048 // octets
	MaxDescription = 500  // characters
)

// State is where a delivery stands.
type State string

// The states. A pending delivery has a next attempt; the others are final.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Exhausted State = "exhausted"
)

// Delivery is one event owed to one endpoint.
type Delivery struct {
	WorkspaceID id.UUID
	ID          id.UUID
	EndpointID  id.UUID
	EventID     id.UUID
	EventType   string
	LeadID      id.UUID // zero: the event is of no lead, or is kept no longer
	State       State
	Attempts    int        // made so far
	NextAt      *time.Time // of a pending delivery
	LastStatus  int        // HTTP status of the last attempt; 0 when there was no answer
	LastError   string     // "" when the last attempt succeeded or none was made
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Attempt is one try of a delivery, as it is kept.
type Attempt struct {
	DeliveryID   id.UUID
	ID           id.UUID
	Number       int    // 1 is the first
	Status       int    // HTTP status; 0 when there was no answer
	Error        string // "" on success
	ResponseHead string // the first 4 KiB of the answer's body
	Latency      time.Duration
	At           time.Time
}

// Job is a due delivery with all that sending it takes.
type Job struct {
	DeliveryID id.UUID
	EventID    id.UUID
	EventType  string
	EventAt    time.Time
	Data       []byte // JSON
	Attempts   int    // made before this one
}

// AppendPayload appends the body that is signed and sent: {"type", "timestamp", "data"} (Standard Webhooks).
func (j *Job) AppendPayload(dst []byte) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, j.EventType...)
	dst = append(dst, `","timestamp":"`...)
	dst = j.EventAt.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, `","data":`...)
	dst = append(dst, j.Data...)
	return append(dst, '}')
}

// Outcome is what is recorded of one attempt: the attempt, and where the delivery stands after it.
type Outcome struct {
	Attempt Attempt
	State   State
	NextAt  *time.Time // of a delivery still pending
}
