// Package timeline explains what became of a lead, in the order of time and in a sentence: pure functions over what pg
// has kept of it.
package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// Limits of a timeline.
const (
	MaxEntries     = 1000
	MaxSubmissions = 100 // of the entries
)

// Timeline is what became of a lead.
type Timeline struct {
	Status    string // where the lead is, and why a webhook about it was not delivered, in a sentence
	Truncated bool   // there is more than Entries
	Entries   []Entry

	MoreSubmissions bool // than the first MaxSubmissions
}

// Entry is one thing that happened to a lead. Of what it is about, one field is set: none means the lead itself.
type Entry struct {
	At         *time.Time // nil: nobody recorded when
	Kind       Kind
	State      string // of the enrichment
	Note       string
	Submission *lead.Submission
	Event      *pg.TimelineEvent
	Delivery   *webhook.Delivery // with an Attempt: what it was an attempt of
	Attempt    *webhook.Attempt
	Enrichment *pg.EnrichmentState
	Host       string       // of the endpoint of a delivery; "" once it was deleted
	Why        *Undelivered // of a delivery; nil: it has arrived

	before *time.Time // it comes before what happened then; nil: At
}

// Kind says what happened.
type Kind string

// The kinds.
const (
	Submission Kind = "submission"
	Accepted   Kind = "lead.accepted"
	Enrichment Kind = "enrichment"
	Event      Kind = "event"
	Delivery   Kind = "delivery"
	Attempt    Kind = "attempt"
)

// Explain puts what is kept of a lead in the order of time. What happened at one moment is in the order of its causes.
func Explain(s *pg.Timeline, now time.Time) Timeline {
	all := append(explainSubmissions(s), Entry{At: &s.Lead.CreatedAt, Kind: Accepted})
	if e := s.Enrichment; e != nil {
		all = append(all, explainEnrichment(e))
	}
	deliveries := map[id.UUID]*webhook.Delivery{}
	delivered := map[id.UUID]bool{} // events that were asked for
	for i := range s.Deliveries {
		d := &s.Deliveries[i]
		deliveries[d.ID], delivered[d.EventID] = d, true
	}
	for i := range s.Events {
		e := &s.Events[i]
		note := ""
		if !delivered[e.ID] && !s.Truncated {
			note = fmt.Sprintf("no webhook endpoint was subscribed to %s when it happened", e.Type)
		}
		all = append(all, Entry{At: &e.CreatedAt, Kind: Event, Event: e, Note: note})
	}
	for i := range s.Deliveries {
		d := &s.Deliveries[i]
		e := s.Endpoints[d.EndpointID]
		why := whyUndelivered(d, &e, now)
		all = append(all, Entry{At: &d.CreatedAt, Kind: Delivery, Delivery: d, Host: webhook.Host(e.URL), Why: why,
			Note: why.note(d, &e)})
	}
	for i := range s.Attempts {
		t := &s.Attempts[i]
		d := deliveries[t.DeliveryID]
		if d == nil { // of more deliveries than were read
			d = &webhook.Delivery{ID: t.DeliveryID}
		}
		all = append(all, Entry{At: &t.At, Kind: Attempt, Attempt: t, Delivery: d})
	}
	slices.SortStableFunc(all, byTime)
	truncated := s.Truncated || len(all) > MaxEntries
	return Timeline{Status: status(s, truncated, now), Truncated: truncated, Entries: all[:min(len(all), MaxEntries)],
		MoreSubmissions: s.MoreSubmissions}
}

// byTime orders entries by when they happened; one of unknown time comes last.
func byTime(x, y Entry) int {
	switch a, b := cmp.Or(x.before, x.At), cmp.Or(y.before, y.At); {
	case a != nil && b != nil:
		return a.Compare(*b)
	case a != nil:
		return -1
	case b != nil:
		return 1
	}
	return 0
}

func explainEnrichment(e *pg.EnrichmentState) Entry {
	shown := Entry{At: e.DueAt, Kind: Enrichment, Enrichment: e, State: "owed"}
	switch {
	case e.DoneAt != nil:
		shown.At, shown.State = e.DoneAt, "done"
	case e.DueAt == nil:
		shown.State, shown.Note = "failed", fmt.Sprintf("given up after %s without a result", count(e.Attempts, "attempt"))
	case e.Attempts > 0:
		shown.Note = fmt.Sprintf("%s failed, next attempt at %s", count(e.Attempts, "attempt"), stamp(*e.DueAt))
	}
	return shown
}

// maxExplained is how many endpoints the status explains.
const maxExplained = 3

// status answers in a sentence where a lead is, and why a webhook about it was not delivered.
func status(s *pg.Timeline, truncated bool, now time.Time) string {
	var text string
	arrived := 0
	for _, d := range s.Deliveries {
		if d.State == webhook.Delivered {
			arrived++
		}
	}
	switch n := len(s.Deliveries); {
	case len(s.Events) == 0:
		text = "Stored; its events are no longer kept."
	case n == 0:
		text = "Stored; no webhook endpoint is subscribed to its events, so nothing is sent."
	case arrived == n:
		text = fmt.Sprintf("Stored; %s made, all arrived.", count(n, "webhook delivery"))
	default:
		text = fmt.Sprintf("Stored; %d of %s arrived. %s", arrived, count(n, "webhook delivery"), explainEndpoints(s, now))
	}
	if e := s.Enrichment; e != nil && e.DueAt == nil && e.DoneAt == nil {
		text += " Enrichment was given up."
	}
	text += summarize(s)
	if truncated {
		text += fmt.Sprintf(" Only the first %d entries are shown.", MaxEntries)
	}
	return text
}

// explainEndpoints says of each endpoint why its first undelivered delivery has not arrived.
func explainEndpoints(s *pg.Timeline, now time.Time) string {
	var texts []string
	explained := map[id.UUID]bool{}
	for i := range s.Deliveries {
		d := &s.Deliveries[i]
		if d.State == webhook.Delivered || explained[d.EndpointID] {
			continue
		}
		explained[d.EndpointID] = true
		e := s.Endpoints[d.EndpointID]
		name := id.Endpoint.Format(d.EndpointID)
		if host := webhook.Host(e.URL); host != "" {
			name = host + " (" + name + ")"
		}
		texts = append(texts, name+": "+whyUndelivered(d, &e, now).note(d, &e))
	}
	more := ""
	if n := len(texts) - maxExplained; n > 0 {
		texts, more = texts[:maxExplained], "; and "+count(n, "more endpoint")
	}
	return strings.Join(texts, "; ") + more + "."
}

// count is a number of things: "1 attempt", "2 deliveries".
func count(n int, thing string) string {
	switch stem, y := strings.CutSuffix(thing, "y"); {
	case n == 1:
		return "1 " + thing
	case y:
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func stamp(t time.Time) string { return t.UTC().Format(lead.TimeFormat) }
