package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/id"
	"leadgate/shared/loadgen"
	"leadgate/shared/pg"
	"leadgate/shared/webhook"
)

// body is the contract's example lead.
func body(email string) string { return string(loadgen.AppendLead(nil, email)) }

func TestCreateTwice(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	contract := []string{"id", "name", "email", "phone", "source", "status", "metadata", "createdAt", "updatedAt",
		"workspaceId"}
	for path, want := range map[string][]string{
		"/api/v1/leads": contract,
		"/api/v1/chatbots/" + c.chatbot + "/leads": append(contract[:len(contract):len(contract)], "chatbotId"),
	} {
		email := strings.ReplaceAll(path[len("/api/v1/"):], "/", ".") + "@example.com"
		first := c.call(t, "POST", path, body(email))
		if first.status != http.StatusCreated {
			t.Fatalf("POST %s = %v, want 201", path, first)
		}
		var said struct{ Data json.RawMessage }
		if err := json.Unmarshal(first.body, &said); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"success", "data"}, keys(t, first.body)); diff != "" {
			t.Errorf("POST %s: keys (-want +got):\n%s", path, diff)
		}
		if diff := cmp.Diff(want, keys(t, said.Data)); diff != "" {
			t.Errorf("POST %s: keys of data (-want +got):\n%s", path, diff)
		}
		second := c.call(t, "POST", path, body(email))
		if second.status != http.StatusConflict || second.id(t) != first.id(t) {
			t.Errorf("POST %s again = %v, want 409 with %s", path, second, first.id(t))
		}
		read := c.call(t, "GET", "/api/v1/leads/"+first.id(t), "")
		if read.status != http.StatusOK || read.id(t) != first.id(t) {
			t.Errorf("GET = %v, want the lead", read)
		}
	}
}

func TestThousandConcurrentPostsOfOneEmail(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	const posts = 1000
	var ready, done sync.WaitGroup
	var mu sync.Mutex
	start := make(chan struct{})
	statuses, ids := map[int]int{}, map[string]int{}
	ready.Add(posts)
	for n := range posts {
		done.Go(func() {
			conn, err := loadgen.Dial(strings.TrimPrefix(c.URL, "http://"))
			ready.Done()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			<-start
			got, err := conn.Post("/api/v1/leads", c.key, []byte(body(loadgen.Spelling("one", n))))
			if err != nil {
				t.Error(err)
				return
			}
			lead, err := got.Lead()
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[got.Status]++
			ids[lead]++
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	if diff := cmp.Diff(map[int]int{201: 1, 409: posts - 1}, statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if len(ids) != 1 {
		t.Errorf("the answers name the leads %v, want one", ids)
	}
	for lead := range maps.Keys(ids) {
		if got := c.call(t, "GET", "/api/v1/leads/"+lead, ""); got.status != http.StatusOK {
			t.Errorf("GET = %v, want the lead that was named", got)
		}
	}
	if got := c.mustRows(t); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
}

// mustRows counts the tenant's leads in Postgres.
func (c *tenant) mustRows(t *testing.T) (n int) {
	t.Helper()
	db, err := pg.Open(c.DatabaseURL, pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ws, err := id.Workspace.Parse(c.workspace)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.GetContext(t.Context(), &n, "select count(*) from leads where workspace_id = $1", ws); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRevokedKeyIsRefusedWithinASecond(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	if got := c.call(t, "POST", "/api/v1/leads", body("before@example.com")); got.status != http.StatusCreated {
		t.Fatalf("POST with the key = %v, want 201", got)
	}
	if got := c.admin(t, "DELETE", "/workspaces/"+c.workspace+"/keys/"+c.keyID, ""); got.status != http.StatusOK {
		t.Fatalf("revoke = %v, want 200", got)
	}
	revoked := time.Now()
	for {
		sent := time.Now()
		got := c.call(t, "POST", "/api/v1/leads", body("before@example.com"))
		if got.status == http.StatusUnauthorized {
			return
		}
		if since := sent.Sub(revoked); since >= time.Second {
			t.Fatalf("POST %v after the key was revoked = %v, want 401", since, got)
		}
	}
}

// What happens to a lead after the answer: it is told, enriched, told again, and shown.
func TestWebhooksAndEnrichment(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	all, created := c.mustReceive(t), c.mustReceive(t, webhook.LeadCreated)
	made := c.call(t, "POST", "/api/v1/leads", body("ada@mail.example.com"))
	if made.status != http.StatusCreated {
		t.Fatalf("POST = %v, want 201", made)
	}
	lead := made.id(t)
	if got := mustWait(t, created, webhook.LeadCreated, lead).Data.Email; got != "ada@mail.example.com" {
		t.Errorf("lead.created has email %q, want the lead's", got)
	}
	first, second := mustWait(t, all, webhook.LeadCreated, lead), mustWait(t, all, webhook.LeadEnriched, lead)
	if first.Data.Enrichment != nil || len(second.Data.Enrichment) < 3 {
		t.Errorf("enrichment of lead.created is %s and of lead.enriched %s, want it only in the second",
			first.Data.Enrichment, second.Data.Enrichment)
	}
	if got := created.Arrivals(); len(got[webhook.LeadEnriched]) > 0 {
		t.Errorf("a subscriber to lead.created was told lead.enriched")
	}
	for _, r := range []*loadgen.Receiver{all, created} {
		if wrong := r.Refused(); len(wrong) > 0 {
			t.Errorf("the Standard Webhooks library refuses %v", wrong)
		}
	}
	var shown struct {
		Enrichment struct{ Email struct{ Domain string } }
	}
	c.call(t, "GET", "/api/v1/leads/"+lead, "").data(t, &shown)
	if shown.Enrichment.Email.Domain != "mail.example.com" {
		t.Errorf("GET shows enrichment %+v, want the email's domain", shown.Enrichment)
	}
}
