package console

import (
	"net/url"
	"slices"
	"strings"

	"leadgate/shared/fault"
)

// timeline is what the API tells of a lead.
type timeline struct {
	Truncated             bool
	FirstTouch, LastTouch *touch
	Entries               []timelineEntry
}

type timelineEntry struct {
	At, Kind, Source, State, Type, SubmissionID, Page, Outcome, Verdict string

	EventID, DeliveryID, EndpointID, Host, Error string
	Attempts, Number, LatencyMs                  int
	Status                                       *int
	Undelivered                                  *undelivered
}

// undelivered is why a delivery has not arrived.
type undelivered struct{ Cause, At, Error, DisabledReason, Endpoint string }

// Why is why its last attempt failed, or that of its endpoint, to follow "because".
func (u *undelivered) Why() string { return failureWords(u.Error) }

// story is a timeline for people: attempts are below the delivery that they were made for.
type story struct {
	Steps         []step
	Truncated     bool
	Made, Arrived int        // deliveries
	Waiting       []*sending // the first that has not arrived of each endpoint, maxWaiting at most
	Others        int        // more endpoints of which something has not arrived
	Submissions   int
	Moves         bool // something of it is to happen soon
	Events        bool // there are any
}

// maxWaiting is how many endpoints are explained above the timeline.
const maxWaiting = 3

// step is one thing that happened to a lead.
type step struct {
	At, Title, Note string
	Tone            string // good, bad, warn; "": neither
	SubmissionID    string // where more about it is
	Delivery        *sending
}

// sending is a delivery with its attempts.
type sending struct {
	ID, EndpointID, Host, State string
	Attempts                    []attempt
	Undelivered                 *undelivered
}

// Resendable reports whether it can be sent again: it is over, and its endpoint takes deliveries.
func (s *sending) Resendable() bool {
	return s.State == "delivered" || s.State == "exhausted" && s.Undelivered.Endpoint == "enabled" ||
		s.State == "held" && s.Undelivered.Endpoint == "enabled"
}

// tell makes a story of a timeline.
func tell(t timeline) story {
	s := story{Truncated: t.Truncated}
	deliveries, asked, waits := map[string]*sending{}, map[string]bool{}, map[string]bool{}
	for _, e := range t.Entries {
		asked[e.EventID] = asked[e.EventID] || e.Kind == "delivery"
	}
	for _, e := range t.Entries {
		if e.Kind == "attempt" {
			if d := deliveries[e.DeliveryID]; d != nil {
				d.Attempts = append(d.Attempts, attempt{Number: e.Number, Status: e.Status, LatencyMs: e.LatencyMs,
					Error: e.Error, At: e.At})
				continue
			}
		}
		next := stepOf(&e, asked[e.EventID] || t.Truncated)
		if d := next.Delivery; d != nil {
			deliveries[e.DeliveryID] = d
			if d.Undelivered != nil && !waits[d.EndpointID] {
				waits[d.EndpointID] = true
				if len(s.Waiting) < maxWaiting {
					s.Waiting = append(s.Waiting, d)
				} else {
					s.Others++
				}
			}
		}
		s.count(&e)
		s.Steps = append(s.Steps, next)
	}
	return s
}

func (s *story) count(e *timelineEntry) {
	switch e.Kind {
	case "submission":
		s.Submissions++
	case "event":
		s.Events = true
	case "delivery":
		s.Made++
		if e.Undelivered == nil {
			s.Arrived++
		}
		s.Moves = s.Moves || e.State == "pending"
	case "enrichment":
		s.Moves = s.Moves || e.State == "owed"
	}
}

var eventWords = map[string]string{
	"lead.created": "Webhooks are told of the new lead", "lead.updated": "Webhooks are told of the change",
	"lead.deleted": "Webhooks are told that it was deleted", "lead.restored": "Webhooks are told that it is back",
	"lead.enriched":    "Webhooks hear what email and phone tell",
	"lead.submitted":   "Webhooks are told that a form was sent again",
	"lead.marked_spam": "Webhooks are told that a submission is spam",
}

var outcomeWords = map[string]string{
	"new": "It made the lead.", "appended": "The email was known: it was kept with the lead.",
	"updated": "The email was known: the lead has what was sent.",
	"ignored": "The email was known: the form ignores that.",
	"held":    "It waits in quarantine.", "suppressed": "The address may not come back, so nothing was kept.",
}

// verdictWords are what was decided about a submission.
var verdictWords = map[string]string{"released": "It was held, and released.", "spam": "It was marked as spam."}

// deliveryWords are what state a delivery is in, and its tone.
var deliveryWords = map[string][2]string{
	"pending": {"On its way to ", "warn"}, "delivered": {"Arrived at ", "good"}, "exhausted": {"Given up: ", "bad"},
	"held": {"Held back from ", "warn"}, "cancelled": {"Not sent to ", ""},
}

// stepOf puts an entry into words; asked: a webhook asked for the event that it is.
func stepOf(e *timelineEntry, asked bool) step {
	s := step{At: e.At}
	switch e.Kind {
	case "lead.accepted":
		s.Title, s.Tone = "The lead arrived by "+e.Source, "good"
	case "submission":
		s.Title, s.SubmissionID = "A form was sent"+on(e.Page), e.SubmissionID
		s.Note = strings.TrimSpace(outcomeWords[e.Outcome] + " " + verdictWords[e.Verdict])
		if e.Verdict == "held" || e.Verdict == "spam" {
			s.Tone = "warn"
		}
	case "enrichment":
		s.Title = map[string]string{"owed": "Email and phone are being looked at",
			"done": "Email and phone were looked at", "failed": "Nothing could be found out about it"}[e.State]
		if e.State == "owed" && e.Attempts > 0 {
			s.Note = "That failed, and is tried again by itself."
		}
	case "event":
		if s.Title = eventWords[e.Type]; s.Title == "" {
			s.Title = e.Type
		}
		if !asked {
			s.Title = strings.NewReplacer("Webhooks are", "Webhooks could have been", "Webhooks hear",
				"Webhooks could have heard").Replace(s.Title)
			s.Note = "But no webhook asked for " + e.Type + "."
		}
	case "delivery":
		words := deliveryWords[e.State]
		host := e.Host
		if host == "" {
			host = "an endpoint that was deleted"
		}
		s.Title, s.Tone = words[0]+host, words[1]
		s.Delivery = &sending{ID: e.DeliveryID, EndpointID: e.EndpointID, Host: host, State: e.State,
			Undelivered: e.Undelivered}
	case "attempt":
		s.Title, s.Note = "An attempt to send a webhook", failureWords(e.Error)
	}
	return s
}

const maxPageWords = 80 // characters of the address of a page in a sentence

// on says on which page something was, in the words of its address.
func on(page string) string {
	u, err := url.Parse(page)
	if page == "" || err != nil || u.Host == "" {
		return ""
	}
	return " on " + fault.TruncateTo(u.Host+strings.TrimSuffix(u.EscapedPath(), "/"), maxPageWords)
}

// campaignNames are what parameters of a campaign are called.
var campaignNames = map[string]string{"source": "Campaign source", "medium": "Campaign medium", "campaign": "Campaign",
	"term": "Campaign keyword", "content": "Campaign content", "id": "Campaign id", "gclid": "Google click",
	"fbclid": "Facebook click", "msclkid": "Microsoft click"}

// campaignFacts are the parameters of a campaign in the order of their names.
func campaignFacts(campaign map[string]string) (facts []fact) {
	for key, value := range campaign {
		name := campaignNames[strings.TrimPrefix(key, "utm_")]
		if name == "" {
			name = key
		}
		facts = append(facts, fact{name, value})
	}
	slices.SortFunc(facts, func(x, y fact) int { return strings.Compare(x.Name, y.Name) })
	return facts
}

// Facts are where a lead came from, in words.
func (t *touch) Facts() (facts []fact) {
	for _, f := range []fact{{"Page", t.Page}, {"Came from", t.Referrer}} {
		if f.Text != "" {
			facts = append(facts, f)
		}
	}
	return append(facts, campaignFacts(t.Campaign)...)
}
