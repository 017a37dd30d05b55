package api

import (
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// Bounds of the time over which speed is shown.
const (
	defaultSpeedTime = 24 * time.Hour
	maxSpeedDays     = 31
)

// figures is how long deliveries took, in milliseconds; null where none arrived.
type figures struct {
	Count int  `json:"count"`
	P50Ms *int `json:"p50Ms"`
	P95Ms *int `json:"p95Ms"`
	P99Ms *int `json:"p99Ms"`
	MaxMs *int `json:"maxMs"`
}

// endpointSpeed is how long the deliveries of an endpoint took.
type endpointSpeed struct {
	ID   string `json:"id"`
	Host string `json:"host"`
	figures
	SlowSince *string `json:"slowSince"`
}

// speed is how long a workspace's deliveries took that arrived from one hour to before another.
type speed struct {
	From             string          `json:"from"`
	Until            string          `json:"until"`
	DeliveryTargetMs *int            `json:"deliveryTargetMs"`
	Workspace        figures         `json:"workspace"`
	Endpoints        []endpointSpeed `json:"endpoints"`
}

var speedParams = []string{"from", "until", "endpointId"}

// getSpeed answers how long deliveries took from the event to the first answer that took it: of each endpoint, newest
// first, and of all together.
func (a *api) getSpeed(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	params := readParams(r)
	from, until := params.speedTime(a.Now())
	only := params.id("endpointId", id.Endpoint)
	if err := params.err(); err != nil {
		return err
	}
	endpoints, err := a.speedEndpoints(r, p, only)
	if err != nil {
		return err
	}
	ids := make([]id.UUID, len(endpoints))
	for i := range endpoints {
		ids[i] = endpoints[i].ID
	}
	times, err := a.DB.ReadTimes(r.Context(), p.WorkspaceID, ids, from, until)
	if err != nil {
		return err
	}
	all := webhook.Times{}
	shown := speed{From: stamp(from), Until: stamp(until), DeliveryTargetMs: optional(p.Settings.DeliveryTargetMS),
		Endpoints: []endpointSpeed{}}
	for _, e := range endpoints {
		all.Add(times[e.ID])
		shown.Endpoints = append(shown.Endpoints, endpointSpeed{ID: id.Endpoint.Format(e.ID), Host: webhook.Host(e.URL),
			figures: showTimes(times[e.ID]), SlowSince: optionalStamp(e.SlowSince)})
	}
	shown.Workspace = showTimes(all)
	return httpx.Data(w, http.StatusOK, shown)
}

// speedEndpoints returns the workspace's endpoints, or only one of them.
func (a *api) speedEndpoints(r *http.Request, p *tenant.Principal, only id.UUID) ([]webhook.Endpoint, error) {
	if only == (id.UUID{}) {
		return a.DB.ListEndpoints(r.Context(), p.WorkspaceID)
	}
	e, err := a.DB.GetEndpoint(r.Context(), p.WorkspaceID, only)
	return []webhook.Endpoint{e}, err
}

func showTimes(t webhook.Times) figures {
	percentile := func(p float64) *int {
		ms, _ := t.Percentile(p)
		return optional(ms)
	}
	return figures{Count: t.Count(), P50Ms: percentile(50), P95Ms: percentile(webhook.SlowPercentile),
		P99Ms: percentile(99), MaxMs: percentile(100)}
}

// speedTime reads the two ends of the time over which speed is shown, to whole hours; without them it is the last 24
// hours.
func (q *params) speedTime(now time.Time) (from, until time.Time) {
	from, until = q.timeRange("from", "until")
	if len(q.invalid) > 0 {
		return from, until
	}
	if until.IsZero() {
		until = now.UTC()
	}
	if from.IsZero() {
		from = until.Add(-defaultSpeedTime)
	}
	switch days := until.Sub(from).Hours() / 24; {
	case days < 0:
		q.addError("from", "Must not be later than until, which is now unless given")
	case days > maxSpeedDays:
		q.addError("from", "Must be at most 31 days before until, which is now unless given")
	}
	return from.Truncate(time.Hour), until.Add(time.Hour - time.Nanosecond).Truncate(time.Hour)
}
