// Package leadfile makes leads of the rows of a file: CSV or NDJSON, read as a stream, so that no file is too large and
// none too broken to be told about.
package leadfile

import (
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/leadfile/decode"
)

// Bounds of a file.
const (
	MaxBytes   = 1 << 30   // of the file
	MaxRows    = 1_000_000 // leads
	MaxRow     = 64 << 10  // bytes of a row
	MaxColumns = 500
	MaxName    = 200 // characters of a column's name

	maxSkip = 1 << 20 // bytes of a row that is too long: beyond, the file is no list of rows
)

// Format is how a file is written.
type Format string

// The formats.
const (
	CSV    Format = "csv"    // RFC 4180, and what people have besides it; also of a workbook
	NDJSON Format = "ndjson" // a JSON object on each line
)

// State is where an import stands.
type State string

// The states.
const (
	Uploading State = "uploading" // the file comes in
	Waiting   State = "waiting"   // the file is there
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed" // what was imported before stays
	Cancelled State = "cancelled"
)

// Options are how rows become leads. They are stored as JSON.
type Options struct {
	Columns     []Column         `json:"columns,omitempty"`   // of a CSV file, in order
	Delimiter   string           `json:"delimiter,omitempty"` // of its cells
	Quote       string           `json:"quote,omitempty"`     // around cells; "": the double one, "none"
	Escape      bool             `json:"escape,omitempty"`    // a backslash before a quote takes it literally
	Header      int              `json:"header,omitempty"`    // which row names the columns; 0: none
	Wrapped     bool             `json:"wrapped,omitempty"`   // each line is one quoted cell, with the cells in it
	List        bool             `json:"list,omitempty"`      // every cell is a row: a list of addresses
	Exported    bool             `json:"exported,omitempty"`  // it is an export, with ids and times
	Found       *decode.Found    `json:"found,omitempty"`     // what the file was; nil: by an earlier version
	ChatbotID   string           `json:"chatbotId,omitempty"` // cb_...; of rows that name none
	Source      string           `json:"source,omitempty"`    // of rows that name none; "": lead.DefaultSource
	OnDuplicate lead.OnDuplicate `json:"onDuplicate,omitempty"`
	Quiet       bool             `json:"quiet,omitempty"` // no lead.created events
}

// Import is a file on its way to becoming leads.
type Import struct {
	WorkspaceID id.UUID
	ID          id.UUID
	State       State
	Format      Format
	Options     Options
	Bytes       int64 // of the file
	Position    int64 // how much of it was worked on
	Tally
	Reason     string // why it failed
	Trace      string // of the request that made it, as it is kept; "": nobody follows that
	CreatedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt *time.Time
}

// Tally counts rows by what became of them.
type Tally struct {
	Rows       int // read: the sum of the others, and of blank ones none
	Created    int
	Updated    int
	Duplicates int
	Rejected   int
	Warnings   int // leads that were made or changed, or are duplicates that were left out, with an oddity in their row
}

// OddCode is the code of a Mistake that did not cost the lead.
const OddCode = "WARNING"

// MaxOdd is how many rows with an oddity an import reports; it counts the others too.
const MaxOdd = 10_000

// Mistake is why a row made no lead: the first that was found; or, by the code OddCode, what was odd about one that
// did.
type Mistake struct {
	Row     int // 1 is the first lead
	Code    string
	Field   string
	Value   string
	Message string
	Lead    id.UUID // that has the row's email, which the message ends with where it is read; zero: none, or it was erased
}
