package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/loadgen"
	"leadgate/shared/webhook"
)

// A batch of 500 is taken in as one request, told of lead by lead, and its webhooks come as if each had been posted
// alone.
func TestFullBatch(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	r := c.mustReceive(t, webhook.LeadCreated)
	there := c.call(t, "POST", "/api/v1/leads", body("batch.7@example.com"))
	if there.status != http.StatusCreated {
		t.Fatalf("POST = %v, want 201", there)
	}
	text := []byte(`{"leads":[`)
	for n := range 500 {
		if n > 0 {
			text = append(text, ',')
		}
		text = loadgen.AppendLead(text, fmt.Sprintf("batch.%d@example.com", n))
	}
	text = append(text, "]}"...)
	got := c.call(t, "POST", "/api/v1/leads/batch", string(text))
	if got.status != http.StatusMultiStatus {
		t.Fatalf("batch = %v, want 207", got)
	}
	var said struct {
		Results []struct {
			Index, Status int
			ID            string
			Details       struct{ ExistingLeadID string }
		}
		Created, Duplicates int
	}
	got.data(t, &said)
	if len(said.Results) != 500 || said.Created != 499 || said.Duplicates != 1 ||
		said.Results[7].Details.ExistingLeadID != there.id(t) {
		t.Fatalf("batch = %d results, %d created, %d duplicates, result 7 %+v, want 500, 499, 1 and %s named",
			len(said.Results), said.Created, said.Duplicates, said.Results[7], there.id(t))
	}
	if rows := c.countLeads(t); rows != 500 {
		t.Errorf("there are %d leads, want 500", rows)
	}
	for _, n := range []int{0, 6, 8, 499} {
		mustWait(t, r, webhook.LeadCreated, said.Results[n].ID)
	}
	if again := c.call(t, "POST", "/api/v1/leads/batch?onDuplicate=return",
		string(text)); !strings.Contains(string(again.body),
		`"created":0,"updated":0,"returned":500,"duplicates":0,"rejected":0`) {
		t.Errorf("batch again = %s, want all returned", again.body[max(0, len(again.body)-200):])
	}
}
