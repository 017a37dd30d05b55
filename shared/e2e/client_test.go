package e2e

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadgate/shared/client"
	"leadgate/shared/testwait"
	"leadgate/shared/webhook"
)

// checked holds every answer to a client against the OpenAPI document.
type checked struct{ t *testing.T }

func (c checked) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	checkDocumented(c.t, req, res, body)
	return res, err
}

// api returns a typed client with the tenant's key.
func (c *tenant) api(t *testing.T) *client.Client {
	return client.New(client.Options{URL: c.URL, Key: c.key, Patience: 20 * time.Second, Transport: checked{t}})
}

func TestClientLeads(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	api := c.api(t)
	made, err := api.CreateLead(t.Context(), client.NewLead{Name: "Ada", Email: "ada@example.com"},
		client.CreateOptions{ChatbotID: c.chatbot, IdempotencyKey: "k1"})
	if err != nil || !made.New || made.Replayed || made.ChatbotID != c.chatbot || *made.Name != "Ada" ||
		made.WorkspaceID != c.workspace {
		t.Fatalf("CreateLead() = %+v, %v, want a new lead", made, err)
	}
	again, err := api.CreateLead(t.Context(), client.NewLead{Name: "Ada", Email: "ada@example.com"},
		client.CreateOptions{ChatbotID: c.chatbot, IdempotencyKey: "k1"})
	if err != nil || !again.Replayed || again.ID != made.ID {
		t.Errorf("CreateLead() again = %+v, %v, want it replayed", again, err)
	}
	known, err := api.CreateLead(t.Context(), client.NewLead{Email: "ADA@example.com"},
		client.CreateOptions{OnDuplicate: "return"})
	if err != nil || known.New || known.ID != made.ID {
		t.Errorf("CreateLead() with return = %+v, %v, want the first", known, err)
	}
	var refused *client.Error
	_, err = api.CreateLead(t.Context(), client.NewLead{Email: "ada@example.com"}, client.CreateOptions{})
	if !errors.As(err, &refused) || refused.Code != "DUPLICATE_EMAIL" || refused.ExistingLeadID != made.ID {
		t.Errorf("CreateLead() of a duplicate = %v, want the first lead named", err)
	}
	_, err = api.CreateLead(t.Context(), client.NewLead{Email: "nobody"}, client.CreateOptions{})
	if !errors.As(err, &refused) || refused.Code != "VALIDATION_ERROR" || len(refused.Fields) != 1 ||
		refused.Fields[0].Field != "email" {
		t.Errorf("CreateLead() without an email = %#v, want the field named", err)
	}
	batch, err := api.CreateLeads(t.Context(), []client.NewLead{{Email: "bob@example.com", ChatbotID: c.chatbot},
		{Email: "ada@example.com"}, {}}, client.CreateOptions{})
	if err != nil || batch.Created != 1 || batch.Duplicates != 1 || batch.Rejected != 1 ||
		batch.Results[1].Details.ExistingLeadID != made.ID {
		t.Errorf("CreateLeads() = %+v, %v, want one of each", batch, err)
	}
	if l, err := api.GetLead(t.Context(), made.ID); err != nil || l.Email != "ada@example.com" || l.CreatedAt.IsZero() {
		t.Errorf("GetLead() = %+v, %v, want the lead", l, err)
	}
	if _, err = api.GetLead(t.Context(), "lead_01jhn3tb9e2g4j6m8p0r2t4w6y"); !errors.As(err, &refused) ||
		refused.Status != http.StatusNotFound {
		t.Errorf("GetLead() of no lead = %v, want 404", err)
	}
	first, err := api.ListLeads(t.Context(), client.LeadFilter{ChatbotID: c.chatbot}, 1, "")
	if err != nil || len(first.Data) != 1 || first.Data[0].Email != "bob@example.com" || first.NextCursor == "" {
		t.Fatalf("ListLeads() = %+v, %v, want the newest and a cursor", first, err)
	}
	last, err := api.ListLeads(t.Context(), client.LeadFilter{ChatbotID: c.chatbot}, 1, first.NextCursor)
	if err != nil || len(last.Data) != 1 || last.Data[0].ID != made.ID {
		t.Errorf("ListLeads(next) = %+v, %v, want the first lead", last, err)
	}
	file, err := api.ExportLeads(t.Context(), client.ExportOptions{Format: "csv"}, client.LeadFilter{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if rows, err := csv.NewReader(file).ReadAll(); err != nil || len(rows) != 2 || rows[1][0] != made.ID {
		t.Errorf("export = %v, %v, want one lead", rows, err)
	}
}

func TestClientImports(t *testing.T) {
	t.Parallel()
	api := mustTenant(t).api(t)
	const text = "email\nada@example.com\nnobody\n"
	i, err := api.UploadImport(t.Context(), strings.NewReader(text), int64(len(text)),
		client.ImportOptions{NoEvents: true})
	if err != nil {
		t.Fatal(err)
	}
	testwait.Until(t, "the import is over", func() bool {
		if i, err = api.GetImport(t.Context(), i.ID); err != nil {
			t.Fatal(err)
		}
		return i.FinishedAt != nil
	})
	if i.State != "done" || i.Rows != 2 || i.Created != 1 || i.Rejected != 1 || i.Progress != 1 {
		t.Errorf("GetImport() = %+v, want two rows, one of them rejected", i)
	}
	report, err := api.ImportErrors(t.Context(), i.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer report.Close()
	if rows, err := csv.NewReader(report).ReadAll(); err != nil || len(rows) != 2 || rows[1][1] != "VALIDATION_ERROR" {
		t.Errorf("report = %v, %v, want the second row", rows, err)
	}
}

func TestClientWebhooks(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	api, r := c.api(t), c.mustReceive(t)
	w, err := api.CreateWebhook(t.Context(), client.NewWebhook{URL: r.URL, EventTypes: []string{webhook.LeadCreated},
		TimeoutSeconds: 5})
	if err != nil || w.Secret == "" || !w.Enabled {
		t.Fatalf("CreateWebhook() = %+v, %v, want it with a secret", w, err)
	}
	if got, err := api.GetWebhook(t.Context(), w.ID); err != nil || got.URL != r.URL || got.Secret != "" {
		t.Errorf("GetWebhook() = %+v, %v, want it without a secret", got, err)
	}
	all, err := api.ListWebhooks(t.Context(), 0, "")
	if err != nil || len(all.Data) != 2 {
		t.Errorf("ListWebhooks() = %+v, %v, want two", all, err)
	}
	made, err := api.CreateLead(t.Context(), client.NewLead{Email: "ada@example.com"}, client.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var page client.Page[client.Delivery]
	testwait.Until(t, "the delivery was attempted", func() bool { // it fails: the receiver knows another endpoint's secret
		if page, err = api.ListDeliveries(t.Context(), w.ID, "pending", 0, ""); err != nil {
			t.Fatal(err)
		}
		return len(page.Data) == 1 && page.Data[0].AttemptCount > 0
	})
	if d := page.Data[0]; d.EventType != webhook.LeadCreated || *d.LeadID != made.ID ||
		*d.LastStatus != http.StatusBadRequest {
		t.Errorf("ListDeliveries() = %+v, want the lead's, refused with 400", d)
	}
	if err := api.DeleteWebhook(t.Context(), w.ID); err != nil {
		t.Errorf("DeleteWebhook() = %v", err)
	}
	var refused *client.Error
	if _, err := api.GetWebhook(t.Context(), w.ID); !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Errorf("GetWebhook() of the deleted = %v, want 404", err)
	}
}
