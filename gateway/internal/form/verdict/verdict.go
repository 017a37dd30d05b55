// Package verdict decides whether a submission of a form is believed to be a person's. Each check gives points with a
// reason; the more points, the less it looks like a person's. It asks no network and no store. What it remembers, it
// remembers of the last hour in this process only, within bounds.
package verdict

import (
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/mailbox"
)

// Input is a submission, and what is known about how it came.
type Input struct {
	Workspace id.UUID
	Form      id.UUID
	Now       time.Time
	Fields    []Field // as they came, in order, without the form's own
	Honeypot  string  // what is in the hidden field; "": nothing
	ElapsedMS int     // since the page was shown, as the page says; negative: it does not say
	MinFillMS int     // the form's setting; 0: none

	Token         TokenState
	TokenAge      time.Duration // of a valid token
	TokenRequired bool
	Captcha       CaptchaState

	Address   []byte // keyed hash of the visitor's; nil: unknown
	UserAgent string
	Page      string // URL; "": unknown
	Referrer  string // URL; "": unknown
	// a service sends the form for its visitors: address, page and user agent are its own, and say nothing of them
	Service bool
	// many visitors share an address, as the form's owner says: how often it sends is nothing against them
	Shared bool

	SuspectAt int // points; 0: never
	HoldAt    int // points; 0: never
}

// Field is a field of the form.
type Field struct {
	Name string
	Text string
	Role Role
}

// Role is what a field is of the lead.
type Role int

// The roles.
const (
	Other   Role = iota // its name and its text say whether it is read like a message
	Name                // of the person, or a part of it
	Email               // the lead's
	Phone               // the lead's
	Message             // free text
	website             // the address of a page is asked for, or is all that was answered
)

// TokenState is what became of the signed token that a page asks for when it is shown.
type TokenState int

// The states of a token.
const (
	TokenAbsent TokenState = iota
	TokenValid
	TokenInvalid // forged, expired or another form's
)

// CaptchaState is what became of the captcha.
type CaptchaState int

// The states of a captcha.
const (
	CaptchaNone   CaptchaState = iota // the form has none
	CaptchaSolved                     // its verifier says so
	CaptchaOutage                     // its verifier did not answer, and the form accepts that
)

// Result is what is believed of a submission.
type Result struct {
	Verdict lead.Verdict // lead.Clean, lead.Suspect or lead.Held
	Points  int          // 0 to MaxPoints
	Reasons []lead.Reason
}

// MaxPoints is the most that a submission can have.
const MaxPoints = 1000

// Checker decides. It is safe for concurrent use.
type Checker struct {
	domains *mailbox.Lists
	letters letters
	ends    map[string]bool
	hidden  map[string]bool
	apart   [26][26]bool
	offers  *offers
	wording *wording
	memory  *memory
	seed    maphash.Seed
}

// New returns a Checker that remembers nothing yet.
func New() *Checker {
	c := &Checker{domains: mailbox.New(), letters: newLetters(), ends: endSet(), hidden: hiddenSet(), apart: apartPairs(),
		memory: newMemory(), seed: maphash.MakeSeed()}
	c.offers = newOffers(&c.letters)
	c.wording = newWording(wordingList, c.offers.kinds)
	return c
}

// Check decides about a submission that is about to be answered with success, and remembers it.
func (c *Checker) Check(in *Input) Result {
	s := c.read(in)
	for _, check := range []func(*submission){
		checkHaste, checkToken, checkCaptcha, checkBrowser, // how it came
		func(s *submission) { s.transport = s.points },
		checkEmail, checkNames, checkMessage, checkLinks, checkContact, checkOffer, checkAlphabet, checkSameAnswers,
		checkSeen,
		checkHoneypot, // last, because an autofilled one is believed where all else is sane
	} {
		check(s)
	}
	return s.result()
}

// add gives points with a reason.
func (s *submission) add(check string, points int, note string) {
	if points > 0 {
		s.reasons = append(s.reasons, lead.Reason{Check: check, Points: points, Note: note})
		s.points += points
	}
}

func (s *submission) result() Result {
	r := Result{Verdict: lead.Clean, Points: min(s.points, MaxPoints), Reasons: s.reasons}
	slices.SortStableFunc(r.Reasons, func(a, b lead.Reason) int { return b.Points - a.Points })
	switch {
	case s.in.HoldAt > 0 && r.Points >= s.in.HoldAt:
		r.Verdict = lead.Held
	case s.in.SuspectAt > 0 && r.Points >= s.in.SuspectAt:
		r.Verdict = lead.Suspect
	}
	return r
}

// domain returns what is after the @ of an address, in lower case.
func domain(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}
