package api

import (
	"net/http"
	"slices"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// webhookView is an endpoint as the API shows it, its defaults filled in; absent values are null.
type webhookView struct {
	ID             string            `json:"id"`
	URL            string            `json:"url"`
	Description    string            `json:"description"`
	EventTypes     []string          `json:"eventTypes"`
	ChatbotIDs     []string          `json:"chatbotIds"`
	Headers        map[string]string `json:"headers"` // names; the values are masked
	Payload        string            `json:"payload"`
	Rate           *int              `json:"rate"`
	MaxInFlight    int               `json:"maxInFlight"`
	TimeoutSeconds int               `json:"timeoutSeconds"`
	Batch          *batchView        `json:"batch"`
	Signature      string            `json:"signature"`
	PublicKey      *string           `json:"publicKey"`
	FormerSecrets  []formerSecret    `json:"formerSecrets"`
	Enabled        bool              `json:"enabled"`
	DisabledAt     *string           `json:"disabledAt"`
	DisabledReason *string           `json:"disabledReason"`
	Health         webhookHealth     `json:"health"`
	Backlog        *backlog          `json:"backlog,omitempty"` // where endpoints are read
	CreatedAt      string            `json:"createdAt"`
	UpdatedAt      string            `json:"updatedAt"`
	WorkspaceID    string            `json:"workspaceId"`
	Secret         string            `json:"secret,omitempty"`   // only in the answer that creates or rotates it
	ReplayID       string            `json:"replayId,omitempty"` // only in the answer that begins it
}

// formerSecret is a rotated-out secret that still signs: when it ends, and what it can be verified with, but not the
// secret.
type formerSecret struct {
	Signature string  `json:"signature"`
	PublicKey *string `json:"publicKey"`
	ExpiresAt string  `json:"expiresAt"`
}

// webhookHealth is how an endpoint fared lately.
type webhookHealth struct {
	State         string  `json:"state"`
	Failures      int     `json:"failures"`
	FailingSince  *string `json:"failingSince"`
	NextProbeAt   *string `json:"nextProbeAt"`
	LastError     *string `json:"lastError"`
	LastSuccessAt *string `json:"lastSuccessAt"`
	SlowSince     *string `json:"slowSince"`
}

// backlog is what an endpoint did not get.
type backlog struct {
	Pending         int     `json:"pending"`
	Exhausted       int     `json:"exhausted"`
	Held            int     `json:"held"`
	OldestPendingAt *string `json:"oldestPendingAt"`
	OldestHeldAt    *string `json:"oldestHeldAt"`
}

func (a *api) showWebhook(e webhook.Endpoint) webhookView {
	shown := webhookView{
		ID: id.Endpoint.Format(e.ID), URL: e.URL, Description: e.Description, EventTypes: e.EventTypes, Headers: webhook.MaskHeaders(e.Headers),
		Payload: e.Payload,
		Rate:    optional(e.Rate), MaxInFlight: e.MaxInFlight, TimeoutSeconds: int(e.Timeout / time.Second),
		Batch:     showBatch(e.Batch),
		Signature: webhook.SignatureScheme(e.Secret), PublicKey: optional(webhook.PublicKey(e.Secret)),
		FormerSecrets: []formerSecret{},
		Enabled:       e.Enabled, Health: showHealth(e), CreatedAt: stamp(e.CreatedAt), UpdatedAt: stamp(e.UpdatedAt),
		WorkspaceID: id.Workspace.Format(e.WorkspaceID),
	}
	for _, c := range e.ChatbotIDs {
		shown.ChatbotIDs = append(shown.ChatbotIDs, id.Chatbot.Format(c))
	}
	for _, f := range e.LiveFormer(a.Now()) {
		shown.FormerSecrets = append(shown.FormerSecrets, formerSecret{webhook.SignatureScheme(f.Secret),
			optional(webhook.PublicKey(f.Secret)), stamp(f.Until)})
	}
	if e.Disabled != nil {
		shown.DisabledAt, shown.DisabledReason = optionalStamp(&e.Disabled.At), &e.Disabled.Reason
	}
	return shown
}

func showHealth(e webhook.Endpoint) webhookHealth {
	h := e.Health
	state := "ok"
	switch {
	case !e.Enabled:
		state = "disabled"
	case h.Open():
		state = "open"
	case h.Failing():
		state = "failing"
	}
	return webhookHealth{
		State: state, Failures: h.Failures, FailingSince: optionalStamp(h.FailingSince),
		NextProbeAt: optionalStamp(h.ProbeAt),
		LastError:   optional(h.LastError), LastSuccessAt: optionalStamp(h.LastSuccessAt), SlowSince: optionalStamp(e.SlowSince),
	}
}

// How far a backlog is counted.
const (
	backlogOfOne = 10_000 // where one endpoint is read
	backlogOfAll = 1_000  // of each endpoint, in the list
)

// showBacklogs shows endpoints with what they did not get, counted to limit.
func (a *api) showBacklogs(r *http.Request, p *tenant.Principal, all []webhook.Endpoint, limit int) ([]webhookView,
	error) {
	ids := make([]id.UUID, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	counts, err := a.DB.CountBacklogs(r.Context(), p.WorkspaceID, ids, limit)
	if err != nil {
		return nil, err
	}
	shown := make([]webhookView, len(all))
	for i, e := range all {
		if err := readable(e); err != nil {
			return nil, err
		}
		shown[i] = a.showWebhook(e)
		shown[i].Backlog = showBacklog(e, counts[e.ID], limit)
	}
	return shown, nil
}

// showBacklog shows as held what is still to be held since the endpoint was disabled.
func showBacklog(e webhook.Endpoint, c pg.UndeliveredCounts, limit int) *backlog {
	if !e.Enabled {
		held := c.OldestHeld
		if held == nil || c.Oldest != nil && c.Oldest.Before(*held) {
			held = c.Oldest
		}
		c = pg.UndeliveredCounts{Exhausted: c.Exhausted, Held: min(c.Held+c.Pending, limit), OldestHeld: held}
	}
	return &backlog{Pending: c.Pending, Exhausted: c.Exhausted, Held: c.Held, OldestPendingAt: optionalStamp(c.Oldest),
		OldestHeldAt: optionalStamp(c.OldestHeld)}
}

// endpoint returns the endpoint the path names; another workspace's is as unknown as a malformed id.
func (a *api) endpoint(r *http.Request, p *tenant.Principal) (webhook.Endpoint, error) {
	e, err := pathRecord(r, p, id.Endpoint, a.DB.GetEndpoint)
	if err == nil {
		err = readable(e)
	}
	return e, err
}

// mayHandle is FORBIDDEN where a key that may not read leads would make or change an endpoint that gets their events,
// and so read them all the same.
func mayHandle(p *tenant.Principal, endpoints ...webhook.Endpoint) error {
	getsLeads := func(e webhook.Endpoint) bool { return e.GetsLeads() }
	if p.May(tenant.LeadsRead) || !slices.ContainsFunc(endpoints, getsLeads) {
		return nil
	}
	return fault.New(fault.Forbidden, "This API key lacks the scope "+string(tenant.LeadsRead)+", without which it cannot "+
		`make or change an endpoint that gets events of leads. With "eventTypes": ["endpoint.*"] it can make others`)
}

// readable is UNAVAILABLE where an endpoint's secrets cannot be read, which only the operator can mend. Such an
// endpoint can be deleted.
func readable(e webhook.Endpoint) error {
	if e.Unreadable == nil {
		return nil
	}
	return &fault.Error{Kind: fault.Unavailable, RetryAfter: 10 * time.Second, Cause: e.Unreadable,
		Public: "The secrets of the webhook endpoint " + id.Endpoint.Format(e.ID) +
			" cannot be read at the moment, please retry later"}
}
