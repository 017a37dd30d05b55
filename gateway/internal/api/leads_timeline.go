package api

import (
	"net/http"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/timeline"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// timelineView is a timeline as the API shows it.
type timelineView struct {
	LeadID               string `json:"leadId"`
	Status               string `json:"status"`
	FirstTouch           *touch `json:"firstTouch"`
	LastTouch            *touch `json:"lastTouch"`
	Truncated            bool   `json:"truncated"`
	SubmissionsTruncated bool   `json:"submissionsTruncated"`
	Entries              []any  `json:"entries"`
}

// entryHead begins every entry of a timeline.
type entryHead struct {
	At   *string       `json:"at"` // null: nobody recorded when
	Kind timeline.Kind `json:"kind"`
}

type acceptedEntry struct {
	entryHead
	ChatbotID *string `json:"chatbotId"`
	Source    string  `json:"source"`
}

type submissionEntry struct {
	entryHead
	SubmissionID string        `json:"submissionId"`
	FormID       string        `json:"formId"`
	Page         *string       `json:"page"`
	Outcome      lead.Outcome  `json:"outcome"`
	Verdict      lead.Verdict  `json:"verdict"`
	Points       int           `json:"points"`
	Reasons      []lead.Reason `json:"reasons"`
	Note         *string       `json:"note"`
}

type enrichmentEntry struct {
	entryHead
	State    string  `json:"state"`
	Attempts int     `json:"attempts"`
	Note     *string `json:"note"`
}

type eventEntry struct {
	entryHead
	EventID      string  `json:"eventId"`
	Type         string  `json:"type"`
	SubmissionID *string `json:"submissionId"` // of which it tells
	TraceID      *string `json:"traceId"`
	Note         *string `json:"note"`
}

type deliveryEntry struct {
	entryHead
	DeliveryID    string       `json:"deliveryId"`
	EventID       string       `json:"eventId"`
	EndpointID    string       `json:"endpointId"`
	Host          *string      `json:"host"`
	State         string       `json:"state"`
	NextAttemptAt *string      `json:"nextAttemptAt"`
	Undelivered   *undelivered `json:"undelivered"`
	Note          *string      `json:"note"`
}

// undelivered says in facts what note says in words.
type undelivered struct {
	Cause          timeline.Cause      `json:"cause"`
	At             *string             `json:"at"`
	Error          *string             `json:"error"`
	DisabledReason *string             `json:"disabledReason"`
	Endpoint       timeline.EndpointIs `json:"endpoint"`
}

func showUndelivered(u *timeline.Undelivered) *undelivered {
	if u == nil {
		return nil
	}
	return &undelivered{u.Cause, optionalStamp(u.At), optional(u.Error), optional(u.Reason),
		u.Endpoint}
}

type attemptEntry struct {
	entryHead
	DeliveryID string  `json:"deliveryId"`
	EndpointID string  `json:"endpointId"`
	Number     int     `json:"number"`
	Status     *int    `json:"status"`
	Error      *string `json:"error"`
	LatencyMs  int64   `json:"latencyMs"`
}

// getTimeline answers what became of a lead, from its acceptance to every attempt to send a webhook about it.
func (a *api) getTimeline(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	l, err := a.readOneLead(r, p)
	if err != nil {
		return err
	}
	s, err := a.DB.LeadTimeline(r.Context(), l, timeline.MaxEntries, timeline.MaxSubmissions)
	if err != nil {
		return err
	}
	t := timeline.Explain(&s, a.Now())
	show := func(e timeline.Entry) any {
		if e.Kind == timeline.Accepted {
			return acceptedEntry{entryHead{optionalStamp(e.At), e.Kind}, optionalID(id.Chatbot, s.Lead.ChatbotID), s.Lead.Source}
		}
		return showEntry(e)
	}
	shown := timelineView{
		LeadID: id.Lead.Format(l.ID), Status: t.Status, FirstTouch: showTouch(s.Touches.First),
		LastTouch: showTouch(s.Touches.Last), Truncated: t.Truncated, SubmissionsTruncated: t.MoreSubmissions,
		Entries: showAll(t.Entries, show),
	}
	return httpx.Data(w, http.StatusOK, shown)
}

// showEntry shows an entry that is about more than the lead itself.
func showEntry(e timeline.Entry) any {
	h, note := entryHead{optionalStamp(e.At), e.Kind}, optional(e.Note)
	d := e.Delivery
	switch e.Kind {
	case timeline.Submission:
		s := showSubmission(*e.Submission)
		return submissionEntry{h, s.ID, s.FormID, s.Page, s.Outcome, s.Verdict, s.Points, s.Reasons, note}
	case timeline.Enrichment:
		return enrichmentEntry{h, e.State, e.Enrichment.Attempts, note}
	case timeline.Event:
		return eventEntry{h, id.Event.Format(e.Event.ID), e.Event.Type, optionalID(id.Submission, e.Event.Submission),
			optional(e.Event.TraceID), note}
	case timeline.Delivery:
		return deliveryEntry{
			h, id.Delivery.Format(d.ID), id.Event.Format(d.EventID), id.Endpoint.Format(d.EndpointID),
			optional(e.Host), string(d.State), optionalStamp(d.NextAt), showUndelivered(e.Why), note,
		}
	case timeline.Attempt:
		t := e.Attempt
		return attemptEntry{
			h, id.Delivery.Format(d.ID), id.Endpoint.Format(d.EndpointID), t.Number, optional(t.Status), optional(t.Error),
			t.Latency.Milliseconds(),
		}
	}
	return h
}
