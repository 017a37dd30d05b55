package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/shared/webhook"
)

// told is an event as a subscriber has it.
type told struct {
	Type string
	Data struct {
		ID, Name, Email, Status, DeletedAt string
		Erased                             *bool
		Previous                           map[string]any
	}
}

// awaitEvent waits for an event that fits.
func (w *witness) awaitEvent(t *testing.T, what string, fits func(told) bool) told {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		w.mu.Lock()
		seen := slices.Clone(w.seen)
		w.mu.Unlock()
		var types []string
		for i := range seen {
			var e told
			if err := json.Unmarshal(seen[i].body, &e); err != nil {
				t.Fatal(err)
			}
			if fits(e) {
				return e
			}
			types = append(types, e.Type)
		}
		select {
		case <-w.arrived:
		case <-late:
			t.Fatalf("%s did not come in a minute; %v did", what, types)
		}
	}
}

// The whole life of a lead, as its owner sees it and as a subscriber is told.
func TestLifeOfALead(t *testing.T) {
	t.Parallel()
	c, w := mustTenant(t), mustWitness(t)
	if got := c.call(t, "POST", "/api/v1/webhooks", fmt.Sprintf(`{"url":%q,"eventTypes":["lead.*"]}`,
		w.URL)); got.status != http.StatusCreated {
		t.Fatalf("POST = %v, want 201", got)
	}
	receiver := c.mustReceive(t, webhook.LeadUpdated, webhook.LeadDeleted, webhook.LeadRestored)
	lead := c.call(t, "POST", "/api/v1/leads", body("life@example.com")).id(t)
	path := "/api/v1/leads/" + lead
	want := func(what string, got answer, status int) {
		t.Helper()
		if got.status != status {
			t.Fatalf("%s = %v, want %d", what, got, status)
		}
	}

	want("PATCH", c.call(t, "PATCH", path, `{"email":"moved@example.com","status":"qualified","phone":null}`),
		http.StatusOK)
	updated := w.awaitEvent(t, webhook.LeadUpdated, func(e told) bool {
		return e.Type == webhook.LeadUpdated &&
			e.Data.ID == lead
	})
	if p := updated.Data.Previous; updated.Data.Email != "moved@example.com" || updated.Data.Status != "qualified" ||
		len(p) != 3 || p["email"] != "life@example.com" || p["status"] != "new" || p["phone"] == nil {
		t.Errorf("lead.updated = %+v, want the lead and what it was", updated.Data)
	}
	want("POST of the new email", c.call(t, "POST", "/api/v1/leads", body("moved@example.com")), http.StatusConflict)
	want("POST of the former email", c.call(t, "POST", "/api/v1/leads", body("life@example.com")), http.StatusCreated)

	want("DELETE", c.call(t, "DELETE", path, ""), http.StatusNoContent)
	deleted := w.awaitEvent(t, webhook.LeadDeleted, func(e told) bool {
		return e.Type == webhook.LeadDeleted &&
			e.Data.ID == lead
	})
	if deleted.Data.Erased == nil || *deleted.Data.Erased || deleted.Data.DeletedAt == "" || deleted.Data.Email != "" {
		t.Errorf("lead.deleted = %+v, want when, and not who", deleted.Data)
	}
	want("GET", c.call(t, "GET", path, ""), http.StatusNotFound)

	want("restore", c.call(t, "POST", path+"/restore", ""), http.StatusOK)
	w.awaitEvent(t, webhook.LeadRestored, func(e told) bool {
		return e.Type == webhook.LeadRestored && e.Data.ID == lead && e.Data.Email == "moved@example.com"
	})
	if got := c.call(t, "GET", path, ""); got.status != http.StatusOK || !strings.Contains(string(got.body),
		"moved@example.com") {
		t.Errorf("GET = %v, want the lead as it was", got)
	}

	// An erasure cancels what was not sent by then.
	for _, event := range []string{webhook.LeadUpdated, webhook.LeadDeleted, webhook.LeadRestored} {
		mustWait(t, receiver, event, lead)
	}
	want("erase", c.call(t, "DELETE", path+"?erase=true&suppress=true", ""), http.StatusOK)
	w.awaitEvent(t, "lead.deleted with erased", func(e told) bool {
		return e.Type == webhook.LeadDeleted && e.Data.ID == lead && e.Data.Erased != nil && *e.Data.Erased
	})
	want("GET", c.call(t, "GET", path, ""), http.StatusNotFound)
	want("restore", c.call(t, "POST", path+"/restore", ""), http.StatusNotFound)
	if got := c.call(t, "GET", "/api/v1/events?leadId="+lead+"&limit=1", ""); got.status != http.StatusOK ||
		strings.Contains(string(got.body), "moved@") {
		t.Errorf("GET of its events = %v, want them without what they told", got)
	}
	if got := c.call(t, "POST", "/api/v1/leads", body("moved@example.com")); got.status != http.StatusConflict ||
		!strings.Contains(string(got.body), "EMAIL_SUPPRESSED") {
		t.Errorf("POST of the suppressed email = %v, want EMAIL_SUPPRESSED", got)
	}
	if wrong := receiver.Refused(); len(wrong) > 0 {
		t.Errorf("the Standard Webhooks library refuses %v", wrong)
	}
}
