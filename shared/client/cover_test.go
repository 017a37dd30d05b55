package client

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/spectest"
)

// calls ask for each operation that the client has, with every parameter that it knows.
var calls = map[string]func(context.Context, *Client){
	"createLead": func(ctx context.Context, c *Client) {
		c.CreateLead(ctx, NewLead{Email: "a@example.com"}, CreateOptions{OnDuplicate: "return"})
	},
	"createChatbotLead": func(ctx context.Context, c *Client) {
		c.CreateLead(ctx, NewLead{Email: "a@example.com"}, CreateOptions{ChatbotID: "x"})
	},
	"createLeads": func(ctx context.Context, c *Client) {
		c.CreateLeads(ctx, []NewLead{{}}, CreateOptions{OnDuplicate: "return"})
	},
	"getLead": func(ctx context.Context, c *Client) { c.GetLead(ctx, "x") },
	"listLeads": func(ctx context.Context, c *Client) {
		c.ListLeads(ctx, everyLeadFilter, 1, "x")
		c.LeadsSince(ctx, "x", 1)
	},
	"exportLeads": func(ctx context.Context, c *Client) { c.ExportLeads(ctx, everyExportOption, everyLeadFilter) },
	"getImport":   func(ctx context.Context, c *Client) { c.GetImport(ctx, "x") },
	"createImport": func(ctx context.Context, c *Client) {
		o := ImportOptions{"csv", "utf-8", "x", ";", "none", "1", "{}", "x", "x", "update", true}
		c.UploadImport(ctx, strings.NewReader(""), 0, o)
		c.PreviewImport(ctx, strings.NewReader(""), 0, o)
	},
	"getImportErrors":   func(ctx context.Context, c *Client) { c.ImportErrors(ctx, "x") },
	"listSubmissions":   func(ctx context.Context, c *Client) { c.ListSubmissions(ctx, everySubmissionFilter, 1, "x") },
	"getSubmission":     func(ctx context.Context, c *Client) { c.GetSubmission(ctx, "x") },
	"releaseSubmission": func(ctx context.Context, c *Client) { c.ReleaseSubmission(ctx, "x") },
	"markSpam":          func(ctx context.Context, c *Client) { c.MarkSpam(ctx, "x") },
	"exportSubmissions": func(ctx context.Context, c *Client) {
		c.ExportSubmissions(ctx, everyExportOption, everySubmissionFilter)
	},
	"createConsoleSession":  func(ctx context.Context, c *Client) { c.CreateConsoleSession(ctx, NewConsoleSession{}) },
	"createWebhook":         func(ctx context.Context, c *Client) { c.CreateWebhook(ctx, NewWebhook{}) },
	"getWebhook":            func(ctx context.Context, c *Client) { c.GetWebhook(ctx, "x") },
	"listWebhooks":          func(ctx context.Context, c *Client) { c.ListWebhooks(ctx, 1, "x") },
	"updateWebhook":         func(ctx context.Context, c *Client) { c.UpdateWebhook(ctx, "x", WebhookChange{}) },
	"deleteWebhook":         func(ctx context.Context, c *Client) { c.DeleteWebhook(ctx, "x") },
	"listWebhookDeliveries": func(ctx context.Context, c *Client) { c.ListDeliveries(ctx, "x", "held", 1, "x") },
	"listEvents":            func(ctx context.Context, c *Client) { c.ListEvents(ctx, time.Unix(1, 0), 1, "x") },
	"getEvent":              func(ctx context.Context, c *Client) { c.GetEvent(ctx, "x") },
}

var (
	everyLeadFilter = LeadFilter{"x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", true, map[string]string{"<key>": "x"}}

	everySubmissionFilter = SubmissionFilter{"x", "x", "x", "x", "x", "x", "x"}

	everyExportOption = ExportOptions{Format: "csv", Delimiter: ";", BOM: true, Plain: true}
)

// leftOut are the operations that the client does not have, by why. It is for the programs of this repository, and what
// none of them asks for would be code that nobody runs.
var leftOut = map[string]string{
	"people do it in the console, which asks the API itself": "updateLead deleteLead restoreLead getTimeline " +
		"listLeadSubmissions getErasure createSuppression deleteSuppression listImports cancelImport rotateSecret testWebhook " +
		"listDeliveries getDelivery resendDelivery getSpeed createReplay listReplays getReplay cancelReplay getUsage getBooks " +
		"previewForm showThanks listRefusedOrigins",
	"operators do it with the gateway's commands, which need no key": "getWorkspace updateWorkspace createChatbot " +
		"listChatbots getChatbot updateChatbot deleteChatbot createKey listKeys getKey updateKey revokeKey rotateKey listAudit " +
		"listConsoleSessions endConsoleSessions endConsoleSession",
	"browsers and tools of others ask for it, without a key": "showForm submitForm preflightForm getFormToken " +
		"getFormChallenge healthz readyz",
}

// The client asks for what the API's document has, with parameters that it has, and what it leaves out has a reason.
func TestClientIsWhatTheDocumentHas(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../gateway/internal/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := spectest.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	var asked []*http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r)
		say(http.StatusNotFound, `{"success":false}`, "")(w, r)
	}))
	defer s.Close()
	c := mustClient(t, Options{URL: s.URL, Key: "sk"})
	known := slices.Collect(maps.Keys(calls))
	for _, names := range leftOut {
		known = append(known, strings.Fields(names)...)
	}
	for _, o := range document.Operations() {
		i := slices.Index(known, o.ID)
		if i < 0 {
			t.Errorf("%s is neither in the client nor left out with a reason", o.ID)
			continue
		}
		known = slices.Delete(known, i, i+1)
		call, ok := calls[o.ID]
		if !ok {
			continue
		}
		asked = nil
		call(t.Context(), c)
		if len(asked) == 0 {
			t.Errorf("%s: nothing was asked", o.ID)
		}
		for _, r := range asked {
			want := strings.NewReplacer("{id}", "x", "{chatbotId}", "x").Replace(o.Path)
			if r.Method != o.Method || r.URL.Path != want {
				t.Errorf("%s: asked %s %s, want %s %s", o.ID, r.Method, r.URL.Path, o.Method, want)
			}
			for name := range r.URL.Query() {
				if !slices.Contains(o.Query, name) {
					t.Errorf("%s: the parameter %s is none of the operation's: %v", o.ID, name, o.Query)
				}
			}
		}
	}
	if len(known) > 0 {
		t.Errorf("no operation is called %v", known)
	}
}
