package lead

import (
	"encoding/json"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
)

// Submission is a form post that was answered with success, and what became of it.
type Submission struct {
	WorkspaceID id.UUID
	ID          id.UUID
	FormID      id.UUID // the publishable key
	LeadID      id.UUID // zero: it made none, or none yet
	Outcome     Outcome
	Verdict     Verdict
	Points      int
	Reasons     []Reason
	Email       string // as typed; "": none, or suppressed
	EmailKey    string
	Name        string
	Fields      json.RawMessage // as they came, without secrets; nil: suppressed
	Page        string
	Referrer    string
	Campaign    map[string]string // campaign parameters and click ids
	UserAgent   string
	AddressHash []byte // of the visitor, keyed
	CreatedAt   time.Time
	DecidedAt   time.Time // when its owner released it or marked it as spam; zero: never
}

// Outcome is what became of a submission.
type Outcome string

// The outcomes.
const (
	OutcomeNew        Outcome = "new"        // it made the lead
	OutcomeAppended   Outcome = "appended"   // to a lead that was there, which was left as it was but for missing fields
	OutcomeUpdated    Outcome = "updated"    // the lead took what the form said
	OutcomeIgnored    Outcome = "ignored"    // the lead was left as it was, and nobody was told
	OutcomeHeld       Outcome = "held"       // in quarantine: it made no lead
	OutcomeSuppressed Outcome = "suppressed" // the address may not come back: nothing of the person is kept
)

// Outcomes returns every outcome.
func Outcomes() []Outcome {
	return []Outcome{OutcomeNew, OutcomeAppended, OutcomeUpdated, OutcomeIgnored, OutcomeHeld, OutcomeSuppressed}
}

// Verdict is whether a submission is believed to be a person's.
type Verdict string

// The verdicts.
const (
	Clean    Verdict = "clean"
	Suspect  Verdict = "suspect"  // it was delivered all the same
	Held     Verdict = "held"     // its owner decides
	Released Verdict = "released" // its owner decided that it is a person's
	Spam     Verdict = "spam"     // its owner decided that it is not
)

// Verdicts returns every verdict.
func Verdicts() []Verdict { return []Verdict{Clean, Suspect, Held, Released, Spam} }

// Reason is why a submission has points: the more, the less it looks like a person's.
type Reason struct {
	Check  string `json:"check"`
	Points int    `json:"points"`
	Note   string `json:"note,omitempty"`
}

// HeldFor is how long a held submission is kept.
const HeldFor = 30 * 24 * time.Hour

// SubmissionNotFoundError is the error of a submission that a workspace does not have.
func SubmissionNotFoundError() error { return fault.New(fault.NotFound, "Submission not found") }

// ErasingError is the error of a submission whose person is being erased.
func ErasingError() error {
	return fault.New(fault.Conflict, "A lead with this email or phone is being erased, and this submission with it")
}
