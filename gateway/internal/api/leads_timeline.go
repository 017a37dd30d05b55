package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// maxTimeline is how many entries a timeline has at most.
const maxTimeline = 1000

// timeline is what became of a lead, for people and programs.
type timeline struct {
	LeadID    string `json:"leadId"`
	Status    string `json:"status"`
	Truncated bool   `json:"truncated"`
	Entries   []any  `json:"entries"`
}

// head begins every entry of a timeline.
type head struct {
	At   *string `json:"at"` // null: nobody noted when
	Kind string  `json:"kind"`
}

type acceptedEntry struct {
	head
	ChatbotID *string `json:"chatbotId"`
	Source    string  `json:"source"`
}

type enrichmentEntry struct {
	head
	State    string  `json:"state"`
	Attempts int     `json:"attempts"`
	Note     *string `json:"note"`
}

type eventEntry struct {
	head
	EventID string  `json:"eventId"`
	Type    string  `json:"type"`
	Note    *string `json:"note"`
}

type deliveryEntry struct {
	head
	DeliveryID    string  `json:"deliveryId"`
	EventID       string  `json:"eventId"`
	EndpointID    string  `json:"endpointId"`
	Host          *string `json:"host"`
	State         string  `json:"state"`
	NextAttemptAt *string `json:"nextAttemptAt"`
	Note          *string `json:"note"`
}

type attemptEntry struct {
	head
	DeliveryID string  `json:"deliveryId"`
	EndpointID string  `json:"endpointId"`
	Number     int     `json:"number"`
	Status     *int    `json:"status"`
	Error      *string `json:"error"`
	LatencyMs  int64   `json:"latencyMs"`
}

// getTimeline answers a lead's whole story, from its acceptance to every attempt to tell of it.
func (a *api) getTimeline(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Lead)
	if err != nil {
		return err
	}
	s, err := a.DB.LeadStory(r.Context(), p.WorkspaceID, wanted, maxTimeline)
	if err != nil {
		return err
	}
	now := a.Now()
	entries := tell(&s, now)
	cut := s.Cut || len(entries) > maxTimeline
	return httpx.Data(w, http.StatusOK, timeline{
		LeadID: id.Lead.Format(wanted), Status: summary(&s, cut, now), Truncated: cut, Entries: entries[:min(len(entries), maxTimeline)],
	})
}

// tell puts a story in the order of time; what happened at one moment is in the order of its causes.
func tell(s *pg.Story, now time.Time) []any {
	type moment struct {
		at    *time.Time
		shown any
	}
	var all []moment
	add := func(at *time.Time, kind string, show func(head) any) {
		all = append(all, moment{at, show(head{optionalStamp(at), kind})})
	}
	add(&s.Lead.CreatedAt, "lead.accepted", func(h head) any { return acceptedEntry{h, optionalID(id.Chatbot, s.Lead.ChatbotID), s.Lead.Source} })
	if e := s.Enrichment; e != nil {
		at, state, note := enrichment(e)
		add(at, "enrichment", func(h head) any { return enrichmentEntry{h, state, e.Attempts, optional(note)} })
	}
	delivered := map[id.UUID]bool{}
	for _, d := range s.Deliveries {
		delivered[d.EventID] = true
	}
	for _, e := range s.Events {
		note := ""
		if !delivered[e.ID] && !s.Cut {
			note = fmt.Sprintf("no webhook endpoint asked for %s when it happened", e.Type)
		}
		add(&e.CreatedAt, "event", func(h head) any { return eventEntry{h, id.Event.Format(e.ID), e.Type, optional(note)} })
	}
	endpoints := map[id.UUID]id.UUID{}
	for _, d := range s.Deliveries {
		endpoints[d.ID] = d.EndpointID
		add(&d.CreatedAt, "delivery", func(h head) any { return showDeliveryEntry(h, d, s.Endpoints[d.EndpointID], now) })
	}
	for _, t := range s.Attempts {
		add(&t.At, "attempt", func(h head) any {
			return attemptEntry{h, id.Delivery.Format(t.DeliveryID), id.Endpoint.Format(endpoints[t.DeliveryID]), t.Number, optional(t.Status), optional(t.Error), t.Latency.Milliseconds()}
		})
	}
	slices.SortStableFunc(all, func(x, y moment) int {
		if x.at == nil || y.at == nil {
			return cmp.Compare(known(y.at), known(x.at)) // what has no time comes last
		}
		return x.at.Compare(*y.at)
	})
	entries := make([]any, len(all))
	for i := range all {
		entries[i] = all[i].shown
	}
	return entries
}

func known(at *time.Time) int {
	if at == nil {
		return 0
	}
	return 1
}

func showDeliveryEntry(h head, d webhook.Delivery, e pg.StoryEndpoint, now time.Time) deliveryEntry {
	return deliveryEntry{
		head: h, DeliveryID: id.Delivery.Format(d.ID), EventID: id.Event.Format(d.EventID), EndpointID: id.Endpoint.Format(d.EndpointID),
		Host: optional(webhook.Host(e.URL)), State: string(d.State), NextAttemptAt: optionalStamp(d.NextAt), Note: optional(why(d, e, now)),
	}
}

// enrichment tells how far it is, and since or until when.
func enrichment(e *pg.EnrichmentState) (at *time.Time, state, note string) {
	switch {
	case e.DoneAt != nil:
		return e.DoneAt, "done", ""
	case e.DueAt == nil:
		return nil, "failed", fmt.Sprintf("given up after %s: nothing was found out", count(e.Attempts, "attempt"))
	case e.Attempts > 0:
		note = fmt.Sprintf("%s failed, next try at %s", count(e.Attempts, "attempt"), stamp(*e.DueAt))
	}
	return e.DueAt, "owed", note
}

// maxReasons is how many endpoints the summary of a timeline explains.
const maxReasons = 3

// summary answers in a line where a lead is, and why a webhook about it was not delivered. cut: there is more than was read.
func summary(s *pg.Story, cut bool, now time.Time) string {
	var text string
	arrived := 0
	for _, d := range s.Deliveries {
		if d.State == webhook.Delivered {
			arrived++
		}
	}
	switch n := len(s.Deliveries); {
	case len(s.Events) == 0:
		text = "Stored; its events are kept no longer."
	case n == 0:
		text = "Stored; no webhook endpoint asked for its events, so nothing is sent."
	case arrived == n:
		text = fmt.Sprintf("Stored; %s made, all arrived.", count(n, "webhook delivery"))
	default:
		text = fmt.Sprintf("Stored; %d of %s arrived. %s", arrived, count(n, "webhook delivery"), reasons(s, now))
	}
	if e := s.Enrichment; e != nil && e.DueAt == nil && e.DoneAt == nil {
		text += " Enrichment was given up."
	}
	if cut {
		text += fmt.Sprintf(" This tells of its first %d entries only.", maxTimeline)
	}
	return text
}

// reasons says of each endpoint why it got no delivery, of its first one.
func reasons(s *pg.Story, now time.Time) string {
	var texts []string
	said := map[id.UUID]bool{}
	for _, d := range s.Deliveries {
		if d.State == webhook.Delivered || said[d.EndpointID] {
			continue
		}
		said[d.EndpointID] = true
		e := s.Endpoints[d.EndpointID]
		name := id.Endpoint.Format(d.EndpointID)
		if host := webhook.Host(e.URL); host != "" {
			name = host + " (" + name + ")"
		}
		texts = append(texts, name+": "+why(d, e, now))
	}
	more := ""
	if n := len(texts) - maxReasons; n > 0 {
		texts, more = texts[:maxReasons], "; and "+count(n, "more endpoint")
	}
	return strings.Join(texts, "; ") + more + "."
}

// why says why a delivery has not arrived, and what comes next or can be done; "" when it has.
func why(d webhook.Delivery, e pg.StoryEndpoint, now time.Time) string {
	switch d.State {
	case webhook.Pending:
		return waits(d, e, now)
	case webhook.Held:
		return held(e)
	case webhook.Cancelled:
		return "cancelled, the endpoint was deleted"
	case webhook.Exhausted:
		return fmt.Sprintf("given up after %s, the last came to %s; ", count(d.Attempts, "attempt"), failure(d.LastError, e)) + again(d, e)
	}
	return ""
}

// again says how a delivery can be sent again.
func again(d webhook.Delivery, e pg.StoryEndpoint) string {
	resend := "POST /api/v1/deliveries/" + id.Delivery.Format(d.ID) + "/resend sends it again"
	switch {
	case e.Deleted:
		return "the endpoint was deleted, so it cannot be sent again"
	case !e.Enabled:
		return "the endpoint is disabled: when it is enabled, " + resend
	}
	return resend
}

// waits says what a pending delivery waits for.
func waits(d webhook.Delivery, e pg.StoryEndpoint, now time.Time) string {
	switch h := &e.Health; {
	case h.Open() && e.Ordered():
		return fmt.Sprintf("waits in order, the endpoint fails (%s), next try at %s", failure(h.LastError, e), stamp(*h.ProbeAt))
	case h.Open():
		return fmt.Sprintf("waits, the endpoint fails (%s), next probe with one delivery at %s", failure(h.LastError, e), stamp(*h.ProbeAt))
	case d.LastError != "":
		return fmt.Sprintf("%s failed, the last came to %s, next one %s", count(d.Attempts, "attempt"), failure(d.LastError, e), turn(d, e, now))
	}
	return turn(d, e, now)
}

// turn says when a pending delivery is sent, or what keeps it though it is due.
func turn(d webhook.Delivery, e pg.StoryEndpoint, now time.Time) string {
	switch {
	case d.NextAt == nil:
		return "due soon"
	case d.NextAt.After(now):
		return "due at " + stamp(*d.NextAt)
	case e.Rate > 0 && e.PacedUntil != nil && e.PacedUntil.After(now):
		return fmt.Sprintf("waits its turn: the endpoint takes at most %d/s", e.Rate)
	case e.FirstAt != nil && e.First != d.ID && !e.FirstAt.After(*d.NextAt):
		return "waits its turn: others of this endpoint are before it"
	case e.LeaseUntil != nil && e.LeaseUntil.After(now):
		return "being sent: a worker is at this endpoint"
	}
	return "due since " + stamp(*d.NextAt) + ", no worker has come to it yet"
}

func held(e pg.StoryEndpoint) string {
	if e.Enabled {
		return "held while the endpoint was disabled, and not sent since; resend it or make a replay"
	}
	text := "held, the endpoint is disabled"
	if e.Disabled != nil {
		text += " since " + stamp(e.Disabled.At)
		switch e.Disabled.Reason {
		case webhook.DisabledByOwner:
			text += " by its owner"
		case webhook.DisabledFailing:
			text += " after nothing but failures"
		case webhook.DisabledGone:
			text += " because it answered 410"
		}
	}
	return text + "; enable it with deliverHeld to send what is held"
}

// failure tells a failure in few words.
func failure(text string, e pg.StoryEndpoint) string {
	host := webhook.Host(e.URL)
	if text == "" || host == "" {
		return "an unknown error"
	}
	return webhook.Reason(text, host)
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
