package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// NewWebhook is an endpoint to create; only URL is required.
type NewWebhook struct {
	URL            string        `json:"url"`
	Description    string        `json:"description,omitempty"`
	EventTypes     []string      `json:"eventTypes,omitempty"`
	Rate           int           `json:"rate,omitempty"` // deliveries a second
	MaxInFlight    int           `json:"maxInFlight,omitempty"`
	TimeoutSeconds int           `json:"timeoutSeconds,omitempty"`
	Batch          *WebhookBatch `json:"batch,omitempty"`
	Signature      string        `json:"signature,omitempty"` // v1 (HMAC) or v1a (ed25519)
	Secret         string        `json:"secret,omitempty"`    // to sign with; the API makes one where none is given
}

// WebhookBatch is how an endpoint takes several events in one request; see Receiver for what then arrives.
type WebhookBatch struct {
	Max    int `json:"max,omitempty"` // events in a request; 0: 100
	WaitMs int `json:"waitMs"`        // how long an event may wait for others
}

// WebhookChange is what changes of an endpoint; zero fields stay as they are.
type WebhookChange struct {
	URL     string        `json:"url,omitempty"`
	Enabled *bool         `json:"enabled,omitempty"`
	Batch   *WebhookBatch `json:"batch,omitempty"`
}

// Webhook is an endpoint as the API shows it.
type Webhook struct {
	ID, URL, Description, Signature string
	EventTypes                      []string
	Enabled                         bool
	Batch                           *WebhookBatch // nil: each event comes in a request of its own
	Secret                          string        // only in the answers that make it
	CreatedAt, UpdatedAt            time.Time
}

// CreateWebhook creates an endpoint and returns it with its secret.
func (c *Client) CreateWebhook(ctx context.Context, w NewWebhook) (made Webhook, err error) {
	_, err = c.do(ctx, request{method: http.MethodPost, path: "/api/v1/webhooks", body: w}, &made)
	return made, err
}

// GetWebhook returns an endpoint.
func (c *Client) GetWebhook(ctx context.Context, endpoint string) (w Webhook, err error) {
	_, err = c.do(ctx, request{method: http.MethodGet, path: webhookPath(endpoint)}, &w)
	return w, err
}

// UpdateWebhook changes an endpoint and returns it as it is then.
func (c *Client) UpdateWebhook(ctx context.Context, endpoint string, change WebhookChange) (w Webhook, err error) {
	_, err = c.do(ctx, request{method: http.MethodPatch, path: webhookPath(endpoint), body: change}, &w)
	return w, err
}

// ListWebhooks returns a page of endpoints. limit 0 is the API's default; cursor "" is the first page.
func (c *Client) ListWebhooks(ctx context.Context, limit int, cursor string) (p Page[Webhook], err error) {
	_, err = c.do(ctx, request{method: http.MethodGet, path: "/api/v1/webhooks", query: page(url.Values{}, limit, cursor)},
		&p)
	return p, err
}

// DeleteWebhook deletes an endpoint.
func (c *Client) DeleteWebhook(ctx context.Context, endpoint string) error {
	_, err := c.do(ctx, request{method: http.MethodDelete, path: webhookPath(endpoint)}, nil)
	return err
}

// Delivery is an event on its way to an endpoint.
type Delivery struct {
	ID, EndpointID, EventID, EventType, State string
	LeadID                                    *string
	AttemptCount                              int
	NextAttemptAt                             *time.Time
	LastStatus                                *int
	LastError                                 *string
	CreatedAt, UpdatedAt                      time.Time
}

// ListDeliveries returns a page of an endpoint's deliveries, newest first; state "" is all of them.
func (c *Client) ListDeliveries(ctx context.Context, endpoint, state string, limit int,
	cursor string) (p Page[Delivery], err error) {
	q := page(values(map[string]string{"state": state}), limit, cursor)
	_, err = c.do(ctx, request{method: http.MethodGet, path: webhookPath(endpoint) + "/deliveries", query: q}, &p)
	return p, err
}

func webhookPath(endpoint string) string { return "/api/v1/webhooks/" + url.PathEscape(endpoint) }
