package webhook

import (
	"encoding/json"
	"net/url"
	"time"

	"leadgate/shared/id"
)

// EndpointNotice is what the events endpoint.failing and endpoint.disabled say of an endpoint.
type EndpointNotice struct {
	Endpoint     id.UUID
	URL          string
	Description  string
	Reason       string // DisabledFailing or DisabledGone
	Failures     int
	FailingSince *time.Time
	LastError    string
	Waiting      int // pending deliveries, counted to 10,000
	DisabledAt   *time.Time
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
	}{
		id.Endpoint.Format(n.Endpoint), urlOrigin(n.URL), n.Description, n.Reason, n.Failures, formatTime(n.FailingSince),
		n.LastError,
		n.Waiting, formatTime(n.DisabledAt),
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
