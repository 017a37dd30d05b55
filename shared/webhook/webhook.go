// Package webhook holds what a webhook is and decides what becomes of it: endpoints, events, deliveries, retries,
// signatures.
package webhook

import (
	"slices"
	"strings"
	"time"

	"leadgate/shared/id"
)

// Event types.
const (
	LeadCreated     = "lead.created"
	LeadUpdated     = "lead.updated"
	LeadDeleted     = "lead.deleted"
	LeadRestored    = "lead.restored"
	LeadEnriched    = "lead.enriched"
	LeadSubmitted   = "lead.submitted"   // somebody whose lead is there sent a form again
	LeadMarkedSpam  = "lead.marked_spam" // its owner marked a submission of the lead as spam
	EndpointFailing = "endpoint.failing" // another endpoint of the workspace has failed for a day
	// another endpoint of the workspace was disabled: it only failed, or said that it wants nothing more
	EndpointDisabled = "endpoint.disabled"
	EndpointSlow     = "endpoint.slow" // another endpoint of the workspace is slower than the workspace's target
	WebhookTest      = "webhook.test"  // sent to one endpoint when its owner asks, whatever it subscribes to
)

// EventTypes returns every type an endpoint can subscribe to by name.
func EventTypes() []string {
	return []string{LeadCreated, LeadUpdated, LeadDeleted, LeadRestored, LeadEnriched, LeadSubmitted, LeadMarkedSpam,
		EndpointFailing, EndpointDisabled, EndpointSlow}
}

// EventGroups returns the patterns that subscribe to all types of a group, including later ones.
func EventGroups() []string { return []string{"lead.*", "endpoint.*"} }

// OfLeads reports whether events of a type, or of a group of types, hold leads' data.
func OfLeads(eventType string) bool { return strings.HasPrefix(eventType, "lead.") }

// Payloads an endpoint can ask for.
const (
	PayloadFull = "full" // the whole lead
	PayloadThin = "thin" // only its id: whoever needs more reads the lead with a key
)

// Endpoint is where a workspace wants its events sent.
type Endpoint struct {
	WorkspaceID id.UUID
	ID          id.UUID
	URL         string
	Description string
	EventTypes  []string
	ChatbotIDs  []id.UUID         // nil: the events of every chatbot, and those without one
	Headers     map[string]string // sent along
	Payload     string            // PayloadFull or PayloadThin
	Rate        int               // deliveries per second; 0: no limit
	MaxInFlight int               // attempts at once; 1: strictly in the order of events
	Timeout     time.Duration     // of an attempt
	Batch       Batch             // zero: each event in a request of its own
	Secret      string            // whsec_ or whsk_...; shown once, when it is made
	Former      []FormerSecret    // secrets that also sign, for a while
	Enabled     bool
	Disabled    *Disabled // nil: it is enabled
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Health      Health     // of its latest attempts
	SlowSince   *time.Time // when endpoint.slow was sent about it; nil: it is fast enough, or the workspace has no target
	Unreadable  error      // why Headers, Secret and Former, which are empty then, cannot be read: a fault of ours; nil: they are
}

// Ordered reports whether each delivery waits until the one before it has ended.
func (e *Endpoint) Ordered() bool { return e.MaxInFlight == 1 }

// GetsLeads reports whether leads' data is sent to the endpoint.
func (e *Endpoint) GetsLeads() bool { return slices.ContainsFunc(e.EventTypes, OfLeads) }

// FormerSecret is a secret that was replaced and still signs, until its receiver uses the new one.
type FormerSecret struct {
	Secret string    `json:"secret"`
	Until  time.Time `json:"until"`
}

// Disabled is since when and why an endpoint gets nothing.
type Disabled struct {
	At     time.Time
	Reason string
}

// Why an endpoint is disabled.
const (
	DisabledByOwner = "owner"   // asked for
	DisabledFailing = "failing" // nothing but failures for days
	DisabledGone    = "gone"    // it answered 410, or WishDisable
)

// Limits of endpoints.
const (
	MaxEndpoints   = 50   // per workspace: each costs a row per event, in a commit that leads of other workspaces share
	MaxURL         = 2048 // bytes
	MaxDescription = 500  // characters
	MaxChatbots    = 50   // of an endpoint's filter
	MaxHeaders     = 20
	MaxHeaderValue = 1000 // bytes
	MaxRate        = 10_000
	MaxInFlight    = 256
	MaxFormer      = 4 // secrets that sign besides the current one

	DefaultInFlight = 32
	DefaultTimeout  = 15 * time.Second
	MinTimeout      = time.Second
	MaxTimeout      = 30 * time.Second
)

// BeginWithin is how long after a drain saw that it has its endpoint's lease it may begin an attempt.
const BeginWithin = time.Second

// State is the state of a delivery.
type State string

// The states. A pending delivery has a next attempt; all but delivered can be sent again, and so can delivered.
const (
	Pending   State = "pending"
	Delivered State = "delivered"
	Exhausted State = "exhausted" // the last try failed
	Held      State = "held"      // its endpoint is disabled
	Cancelled State = "cancelled" // its endpoint was deleted, its lead was erased, or its test was not sent
)

// States returns every state.
func States() []State { return []State{Pending, Delivered, Exhausted, Held, Cancelled} }

// Delivery is one event for one endpoint.
type Delivery struct {
	WorkspaceID id.UUID
	ID          id.UUID
	EndpointID  id.UUID
	EventID     id.UUID
	EventType   string
	LeadID      id.UUID // zero: the event is of no lead, or was deleted
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
	ID           id.UUID // of the request: those of a batch have the same
	Number       int     // 1 is the first
	Status       int     // HTTP status; 0 when there was no answer
	Error        string  // "" on success
	ResponseHead string  // the first 4 KiB of the answer's body
	Latency      time.Duration
	At           time.Time
	InBatch      InBatch // zero: the request had no other event

	RetryAfter time.Duration // what the answer asked for; not kept
	Wish       Wish          // what else it asked for; not kept
}

// Wish is what a receiver asks for in the header webhook-delivery of its answer.
type Wish string

// The wishes.
const (
	WishDisable Wish = "disable"       // nothing more for this endpoint
	WishAbort   Wish = "abort-message" // no more tries of this delivery, where this one failed
)

// ParseWish reads the header webhook-delivery; "" where it asks for nothing that is known.
func ParseWish(text string) Wish {
	switch w := Wish(strings.ToLower(strings.TrimSpace(text))); w {
	case WishDisable, WishAbort:
		return w
	}
	return ""
}

// DueDelivery is a due delivery with everything that sending it needs.
type DueDelivery struct {
	DeliveryID id.UUID
	EventID    id.UUID
	EventType  string
	EventAt    time.Time
	LeadID     id.UUID // zero: the event is of no lead
	Data       []byte  // JSON
	Attempts   int     // made before this one
	Tries      int     // of those, since it was last replayed: its place in the schedule
	NextAt     time.Time
	Trace      string // that the event is of, as package trace keeps it; "": none
}

// AppendPayload appends the body that is signed and sent: {"type", "timestamp", "data"} (Standard Webhooks).
// The thin payload of an event of no lead is the full one.
func (j *DueDelivery) AppendPayload(dst []byte, payload string) []byte {
	return j.appendMembers(append(dst, '{'), payload)
}

const timestampForm = "2006-01-02T15:04:05.000Z"

// appendMembers appends the members of the body and its closing brace.
func (j *DueDelivery) appendMembers(dst []byte, payload string) []byte {
	dst = append(dst, `"type":"`...)
	dst = append(dst, j.EventType...)
	dst = append(dst, `","timestamp":"`...)
	dst = j.EventAt.UTC().AppendFormat(dst, timestampForm)
	dst = append(dst, `","data":`...)
	if payload == PayloadThin && j.LeadID != (id.UUID{}) {
		dst = append(dst, `{"id":"`...)
		dst = id.Lead.Append(dst, j.LeadID)
		dst = append(dst, `"}`...)
	} else {
		dst = append(dst, j.Data...)
	}
	return append(dst, '}')
}

// Outcome is what is recorded of one attempt: the attempt, and the delivery's state after it.
type Outcome struct {
	Attempt Attempt
	State   State
	NextAt  *time.Time // of a delivery still pending
}
