package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// NewLead is a lead to create; only Email is required, or Phone where the workspace takes leads without an email.
type NewLead struct {
	Name      string          `json:"name,omitempty"`
	Email     string          `json:"email"`
	Phone     string          `json:"phone,omitempty"`
	Source    string          `json:"source,omitempty"`
	Status    string          `json:"status,omitempty"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	ChatbotID string          `json:"chatbotId,omitempty"` // only in a batch
}

// Lead is a lead as the API shows it.
type Lead struct {
	ID          string
	Name        *string
	Email       string
	Phone       *string
	Source      string
	Status      string
	Metadata    json.RawMessage
	CreatedAt   time.Time
	UpdatedAt   time.Time
	WorkspaceID string
	ChatbotID   string
	Enrichment  json.RawMessage // null until facts were found
	DeletedAt   *time.Time
}

// CreateOptions say how leads are created; the zero value is the API's default.
type CreateOptions struct {
	ChatbotID      string
	OnDuplicate    string // error, update or return
	IdempotencyKey string // "": one is made up when the client repeats requests
}

func (o CreateOptions) request(c *Client, path string, body any) request {
	r := request{method: http.MethodPost, path: path, body: body, idempotencyKey: o.IdempotencyKey}
	if o.OnDuplicate != "" {
		r.query = url.Values{"onDuplicate": {o.OnDuplicate}}
	}
	if r.idempotencyKey == "" && c.Patience > 0 {
		r.idempotencyKey = rand.Text()
	}
	return r
}

// Created is the answer to CreateLead.
type Created struct {
	Lead
	New      bool // false: there was a lead with this email, which OnDuplicate had updated or returned
	Replayed bool // the answer had been given before, under the same Idempotency-Key
}

// CreateLead creates a lead. A lead that is there already is an *Error with its ExistingLeadID, unless OnDuplicate says
// otherwise.
func (c *Client) CreateLead(ctx context.Context, l NewLead, o CreateOptions) (made Created, err error) {
	path := "/api/v1/leads"
	if o.ChatbotID != "" {
		path = "/api/v1/chatbots/" + url.PathEscape(o.ChatbotID) + "/leads"
	}
	res, err := c.do(ctx, o.request(c, path, l), &made.Lead)
	if err != nil {
		return Created{}, err
	}
	made.New, made.Replayed = res.StatusCode == http.StatusCreated, res.Header.Get("Idempotency-Replayed") == "true"
	return made, nil
}

// Batch is the answer to CreateLeads.
type Batch struct {
	Results                                          []BatchResult
	Created, Updated, Returned, Duplicates, Rejected int
}

// BatchResult is what became of one lead of a batch.
type BatchResult struct {
	Index, Status   int
	ID, Error, Code string
	Details         struct {
		Errors         []Field
		ExistingLeadID string
	}
}

// CreateLeads creates up to 500 leads; what became of each is in the answer. ChatbotID of the options is not used: each
// lead has its own.
func (c *Client) CreateLeads(ctx context.Context, leads []NewLead, o CreateOptions) (b Batch, err error) {
	body := struct {
		Leads []NewLead `json:"leads"`
	}{leads}
	_, err = c.do(ctx, o.request(c, "/api/v1/leads/batch", body), &b)
	return b, err
}

// GetLead returns a lead.
func (c *Client) GetLead(ctx context.Context, lead string) (l Lead, err error) {
	_, err = c.do(ctx, request{method: http.MethodGet, path: "/api/v1/leads/" + url.PathEscape(lead)}, &l)
	return l, err
}

// LeadFilter selects leads; a field that is zero selects all.
type LeadFilter struct {
	ChatbotID, Source, Email, Domain, Phone, Search      string
	Status                                               string // or several with commas between
	CreatedFrom, CreatedUntil, UpdatedFrom, UpdatedUntil string // RFC 3339, or a day
	Deleted                                              bool
	Metadata                                             map[string]string
}

func (f LeadFilter) query() url.Values {
	q := values(map[string]string{
		"chatbotId": f.ChatbotID, "status": f.Status, "source": f.Source, "email": f.Email, "q": f.Search,
		"domain": f.Domain, "phone": f.Phone,
		"createdFrom": f.CreatedFrom, "createdUntil": f.CreatedUntil, "updatedFrom": f.UpdatedFrom,
		"updatedUntil": f.UpdatedUntil,
	})
	if f.Deleted {
		q.Set("deleted", "true")
	}
	for key, value := range f.Metadata {
		q.Set("metadata."+key, value)
	}
	return q
}

// ListLeads returns a page of leads, newest first. limit 0 is the API's default; cursor "" is the first page.
func (c *Client) ListLeads(ctx context.Context, f LeadFilter, limit int, cursor string) (p Page[Lead], err error) {
	_, err = c.do(ctx, request{method: http.MethodGet, path: "/api/v1/leads", query: page(f.query(), limit, cursor)}, &p)
	return p, err
}

// Changes is the answer to LeadsSince.
type Changes struct {
	Data      []Lead
	NextSince string // where to go on
	HasMore   bool   // there are more already
}

func (*Changes) paged() {}

// LeadsSince returns leads that were created, changed, deleted or restored since a time (RFC 3339) or the NextSince of
// an earlier answer, the one that changed first first. limit 0 is the API's default.
func (c *Client) LeadsSince(ctx context.Context, since string, limit int) (all Changes, err error) {
	q := page(url.Values{"since": {since}}, limit, "")
	_, err = c.do(ctx, request{method: http.MethodGet, path: "/api/v1/leads", query: q}, &all)
	return all, err
}

// ExportOptions say how rows are written to a file; the zero value is the API's default.
type ExportOptions struct {
	Format    string // csv or ndjson
	BOM       bool   // a CSV file begins with a byte order mark
	Plain     bool   // cells of a CSV file are as they are, formulas too
	Delimiter string // of a CSV file: , ; | or a tab
}

// addTo adds the options to the filters of an export.
func (o ExportOptions) addTo(q url.Values) url.Values {
	for name, value := range values(map[string]string{"format": o.Format, "delimiter": o.Delimiter}) {
		q[name] = value
	}
	if o.BOM {
		q.Set("bom", "true")
	}
	if o.Plain {
		q.Set("plain", "true")
	}
	return q
}

// ExportLeads returns all leads as a file, which the caller closes. An error of a Read means that it is not whole.
func (c *Client) ExportLeads(ctx context.Context, o ExportOptions, f LeadFilter) (io.ReadCloser, error) {
	return c.download(ctx, "/api/v1/leads/export", o.addTo(f.query()))
}

// values has what is not empty.
func values(all map[string]string) url.Values {
	q := url.Values{}
	for name, value := range all {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func page(q url.Values, limit int, cursor string) url.Values {
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	return q
}
