package e2e

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/webhook"
)

// A lead is in the list, in every search and in the export from its 201 on, before the worker has seen it and after.
func TestLeadsAreListedSearchedAndExported(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	told := c.mustReceive(t, webhook.LeadEnriched)
	var ids []string
	find := func(query string) (found []string) {
		t.Helper()
		var leads []struct{ ID string }
		got := c.call(t, "GET", "/api/v1/leads?"+query, "")
		if got.status != http.StatusOK {
			t.Fatalf("GET leads?%s = %v, want 200", query, got)
		}
		got.data(t, &leads)
		for _, l := range leads {
			found = append(found, l.ID)
		}
		return found
	}
	queries := func(i int) []string {
		return []string{fmt.Sprintf("email=ada%d@example.com", i), fmt.Sprintf("q=lovelace%d", i),
			fmt.Sprintf("metadata.campaign=c%d", i), fmt.Sprintf("source=s%d&status=new", i)}
	}
	for i := range 10 {
		made := c.call(t, "POST", "/api/v1/leads",
			fmt.Sprintf(`{"name":"Ada Lovelace%d","email":"ada%d@example.com","source":"s%d","metadata":{"campaign":"c%d"}}`, i,
				i, i, i))
		if made.status != http.StatusCreated {
			t.Fatalf("POST = %v, want 201", made)
		}
		ids = append(ids, made.id(t))
		if got := find("limit=1"); len(got) != 1 || got[0] != ids[i] {
			t.Errorf("the newest lead is %v, want %s", got, ids[i])
		}
		for _, query := range queries(i) {
			if got := find(query); len(got) != 1 || got[0] != ids[i] {
				t.Errorf("%s right after the 201 = %v, want %s", query, got, ids[i])
			}
		}
	}
	for i, id := range ids {
		mustWait(t, told, webhook.LeadEnriched, id)
		for _, query := range queries(i) {
			if got := find(query); len(got) != 1 || got[0] != id {
				t.Errorf("%s after enrichment = %v, want %s", query, got, id)
			}
		}
	}
	got := c.call(t, "GET", "/api/v1/leads/export?q=lovelace", "")
	rows, err := csv.NewReader(strings.NewReader(string(got.body))).ReadAll()
	if err != nil || len(rows) != 11 {
		t.Fatalf("the export is %v, %v, want a head and 10 leads", got, err)
	}
	for i, id := range ids {
		if rows[i+1][0] != id {
			t.Errorf("row %d of the export is %v, want lead %s", i+1, rows[i+1], id)
		}
	}
}
