package tenant

import (
	"strings"
	"time"

	"leadgate/shared/id"
)

// Way is how a lead comes in.
type Way string

// The ways.
const (
	WayForm   Way = "form"
	WayAPI    Way = "api" // one lead a request
	WayBatch  Way = "batch"
	WayImport Way = "import"
)

// BookOutcome is what became of something that was received, as books count it.
type BookOutcome string

// The outcomes. Received is the sum of those up to BookLimited and of the refused; what follows is information.
const (
	BookReceived   BookOutcome = "received"
	BookNew        BookOutcome = "new"        // made the lead
	BookAppended   BookOutcome = "appended"   // was kept with a lead that was there
	BookUpdated    BookOutcome = "updated"    // changed a lead that was there
	BookHeld       BookOutcome = "held"       // is or was in quarantine
	BookSuppressed BookOutcome = "suppressed" // the address may not come back
	BookLimited    BookOutcome = "limited"    // came too often

	BookHeldNotKept BookOutcome = "held_not_kept" // of those held: counted only, because the quarantine was full
)

// refusedPrefix is what BookOutcome of a Refusal begins with.
const refusedPrefix = "refused:"

// Refusal is why something that was received became nothing.
type Refusal string

// The refusals.
const (
	RefusedValidation  Refusal = "validation"
	RefusedDuplicate   Refusal = "duplicate" // a lead has the email, and was left as it is
	RefusedNotFound    Refusal = "not_found" // there is no such chatbot
	RefusedMediaType   Refusal = "media_type"
	RefusedTooLarge    Refusal = "too_large"
	RefusedTimeout     Refusal = "timeout" // it did not arrive in time
	RefusedCaptcha     Refusal = "captcha"
	RefusedOrigin      Refusal = "origin"      // a page that may not use the form
	RefusedForbidden   Refusal = "forbidden"   // the key may not create leads
	RefusedIdempotency Refusal = "idempotency" // the Idempotency-Key came with another request before
)

// Outcome returns r as books count it.
func (r Refusal) Outcome() BookOutcome { return BookOutcome(refusedPrefix + string(r)) }

// Refusal returns the reason of an outcome that is a refusal.
func (o BookOutcome) Refusal() (r Refusal, ok bool) {
	name, ok := strings.CutPrefix(string(o), refusedPrefix)
	return Refusal(name), ok
}

// Informs reports whether o is no part of what was received, but says more about another outcome.
func (o BookOutcome) Informs() bool {
	return o == BookHeldNotKept
}

// BookEntry adds to a count in the books of a workspace.
type BookEntry struct {
	WorkspaceID id.UUID
	Day         time.Time // any time of the day (UTC); zero: today
	Way         Way
	FormID      id.UUID // the publishable key; zero: none
	Outcome     BookOutcome
	N           int64 // less than zero: what was counted before became something else
}

// BooksKept is how many days books are kept.
const BooksKept = 800
