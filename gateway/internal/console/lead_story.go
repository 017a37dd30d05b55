package console

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"leadgate/shared/fault"
)

// timeline is what the API tells of a lead.
type timeline struct {
	Status                string
	Truncated             bool
	FirstTouch, LastTouch *touch
	Entries               []timelineEntry
}

type timelineEntry struct {
	At, Kind, Source, State, Note, Type, SubmissionID, Page, Outcome, Verdict string

	EventID, DeliveryID, Host, Error string
	Attempts, Number, LatencyMs      int
	Status                           *int
}

// story is a timeline for people: attempts are below the delivery that they were made for.
type story struct {
	Status    string
	Truncated bool
	Steps     []step
}

// step is one thing that happened to a lead.
type step struct {
	At, Title, Note string
	Tone            string // good, bad, warn; "": neither
	SubmissionID    string // where more about it is
	Delivery        *sending
}

// sending is a delivery with its attempts.
type sending struct {
	ID, Host, State string
	Attempts        []attempt
}

// Resendable reports whether sending it again makes sense: it is over, and its lead was not erased.
func (s *sending) Resendable() bool {
	return s.State == "delivered" || s.State == "exhausted" || s.State == "held"
}

// forPrograms is what the API says to programs: ids of endpoints whose host is named before, and requests that a button
// of the page makes.
var forPrograms = regexp.MustCompile(` \(we_[0-9a-z]+\)|[;,] (then )?send it again with POST /api/v1/[^ ]+/resend`)

// tell makes a story of a timeline.
func tell(t timeline) story {
	s := story{Status: forPrograms.ReplaceAllString(t.Status, ""), Truncated: t.Truncated}
	deliveries := map[string]*sending{}
	for _, e := range t.Entries {
		if e.Kind == "attempt" {
			if d := deliveries[e.DeliveryID]; d != nil {
				d.Attempts = append(d.Attempts, attempt{Number: e.Number, Status: e.Status, LatencyMs: e.LatencyMs,
					Error: e.Error, At: e.At})
				continue
			}
		}
		next := stepOf(&e)
		if next.Delivery != nil {
			deliveries[e.DeliveryID] = next.Delivery
		}
		s.Steps = append(s.Steps, next)
	}
	return s
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

// deliveryWords are what state a delivery is in, and its tone.
var deliveryWords = map[string][2]string{
	"pending": {"On its way to ", "warn"}, "delivered": {"Arrived at ", "good"}, "exhausted": {"Given up: ", "bad"},
	"held": {"Held back from ", "warn"}, "cancelled": {"Not sent to ", ""},
}

func stepOf(e *timelineEntry) step {
	s := step{At: e.At, Note: forPrograms.ReplaceAllString(e.Note, "")}
	switch e.Kind {
	case "lead.accepted":
		s.Title, s.Tone = "The lead arrived by "+e.Source, "good"
	case "submission":
		s.Title, s.SubmissionID = "A form was sent"+on(e.Page), e.SubmissionID
		s.Note = strings.TrimSpace(outcomeWords[e.Outcome] + " " + s.Note)
		if e.Verdict == "held" || e.Verdict == "spam" {
			s.Tone = "warn"
		}
	case "enrichment":
		s.Title = map[string]string{"owed": "Email and phone are being looked at",
			"done": "Email and phone were looked at", "failed": "Nothing could be found out about it"}[e.State]
	case "event":
		if s.Title = eventWords[e.Type]; s.Title == "" {
			s.Title = e.Type
		}
		if e.Note != "" {
			s.Title, s.Note = strings.Replace(s.Title, "Webhooks are", "Webhooks could have been", 1), "But "+e.Note+"."
		}
	case "delivery":
		words := deliveryWords[e.State]
		host := e.Host
		if host == "" {
			host = "an endpoint that was deleted"
		}
		s.Title, s.Tone = words[0]+host, words[1]
		s.Delivery = &sending{ID: e.DeliveryID, Host: host, State: e.State}
	case "attempt":
		s.Title, s.Note = "An attempt to send a webhook", e.Error
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
