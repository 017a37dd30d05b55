package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Event is something that happened in a workspace.
type Event struct {
	ID, Type          string
	LeadID, ChatbotID *string
	CreatedAt         time.Time
	Data              json.RawMessage // what webhooks send of it; only of GetEvent, and null where the key may not read it
}

// ListEvents returns a page of the events since a time, which may be zero, newest first. limit 0 is the API's default.
func (c *Client) ListEvents(ctx context.Context, from time.Time, limit int, cursor string) (p Page[Event], err error) {
	q := page(url.Values{}, limit, cursor)
	if !from.IsZero() {
		q.Set("from", from.UTC().Format(time.RFC3339Nano))
	}
	_, err = c.do(ctx, request{method: http.MethodGet, path: "/api/v1/events", query: q}, &p)
	return p, err
}

// GetEvent returns an event with its data.
func (c *Client) GetEvent(ctx context.Context, event string) (e Event, err error) {
	_, err = c.do(ctx, request{method: http.MethodGet, path: "/api/v1/events/" + url.PathEscape(event)}, &e)
	return e, err
}
