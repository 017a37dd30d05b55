package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

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
	wanted, err := pathID(mux.Vars(r)["id"], id.Lead, "Lead")
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
