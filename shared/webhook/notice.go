package webhook

import (
	"encoding/json"
	"net/url"
	"time"

	"leadgate/shared/id"
)

// ReasonSlow is the reason of endpoint.slow.
const ReasonSlow = "slow"

// Slow is how much slower an endpoint is than its workspace wants it: the SlowPercentile of its deliveries, and the
// target for it.
type Slow struct {
	P95MS    int `json:"p95Ms"`
	TargetMS int `json:"targetMs"`
}

// EndpointNotice is what the events endpoint.failing, endpoint.disabled and endpoint.slow say of an endpoint.
type EndpointNotice struct {
	Endpoint     id.UUID
	URL          string
	Description  string
	Reason       string // DisabledFailing, DisabledGone or ReasonSlow
	Failures     int
	FailingSince *time.Time
	LastError    string
	Waiting      int // pending deliveries, counted to 10,000
	DisabledAt   *time.Time
	Slow         *Slow // of endpoint.slow
}

// Data returns the "data" of the event. Nothing of it is secret: of the URL it has scheme and host, because user, path
// and query are a secret with some receivers.
func (n *EndpointNotice) Data() ([]byte, error) {
	return json.Marshal(struct {
		EndpointID   string  `json:"endpointId"`
		URL          string  `json:"url"`
		Description  string  `json:"description"`
		Reason       string  `json:"reason"`
		Failures     int     `json:"failures"`
		FailingSince *string `json:"failingSince"`
		LastError    string  `json:"lastError"`
		Waiting      int     `json:"waiting"`
		DisabledAt   *string `json:"disabledAt"`
		*Slow
	}{
		id.Endpoint.Format(n.Endpoint), urlOrigin(n.URL), n.Description, n.Reason, n.Failures, formatTime(n.FailingSince),
		n.LastError,
		n.Waiting, formatTime(n.DisabledAt), n.Slow,
	})
}

// urlOrigin returns scheme and host of a URL.
func urlOrigin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// formatTime returns a time as the API shows it: UTC with milliseconds.
func formatTime(t *time.Time) *string {
	if t == nil {
		return nil
	}
	text := t.UTC().Format("2006-01-02T15:04:05.000Z")
	return &text
}
