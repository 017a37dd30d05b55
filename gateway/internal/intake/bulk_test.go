package intake_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/webhook"
)

func requests(emails ...string) (all []intake.Item) {
	for _, e := range emails {
		all = append(all, intake.Item{Draft: draft(e)})
	}
	return all
}

func (b *bundle) mustCreateMany(t *testing.T, on lead.OnDuplicate, all []intake.Item) []intake.BulkResult {
	t.Helper()
	out, err := b.CreateMany(t.Context(), b.principal, all, on)
	if err != nil || len(out) != len(all) {
		t.Fatalf("CreateMany() = %d, %v, want %d", len(out), err, len(all))
	}
	return out
}

func TestCreateManyWritesEverything(t *testing.T) {
	t.Parallel()
	b := setup(t)
	e := webhook.Endpoint{WorkspaceID: b.principal.WorkspaceID, ID: id.New(), URL: "https://example.com/",
		EventTypes: []string{"lead.*"}, Secret: webhook.NewSecret(), Enabled: true, CreatedAt: time.Now()}
	if err := b.db.CreateEndpoint(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	out := b.mustCreateMany(t, lead.RefuseDuplicate, requests("a@example.com", "b@example.com", "a@example.com"))
	if out[0].Exists || out[1].Exists || !out[2].Exists || out[2].DuplicateOf != 0 || out[2].ID != out[0].ID {
		t.Fatalf("CreateMany() = %+v, want two leads and the third the first's", out)
	}
	for table, want := range map[string]int{"leads": 2, "enrichment_queue": 1, "events": 2, "deliveries": 2} {
		if got := b.rows(t, table); got != want {
			t.Errorf("%s = %d rows, want %d", table, got, want)
		}
	}
	b.wantDuplicate(t, "b@example.com", out[1].ID)
	updated := b.mustCreateMany(t, lead.UpdateDuplicate,
		[]intake.Item{{Draft: func() lead.Draft { d := draft("a@example.com"); d.Name = "Ann"; return d }()}})
	if updated[0].Err != nil || updated[0].ID != out[0].ID {
		t.Fatalf("update = %+v, want lead a", updated)
	}
	if got := b.rows(t, "deliveries"); got != 3 {
		t.Errorf("deliveries = %d, want that of lead.updated too", got)
	}
}

// Batches that overlap, in any order, and single leads between them: each email has one lead, whom everybody names.
func TestBatchesAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const batches, emails = 12, 120
	outs := make([][]intake.BulkResult, batches)
	var wg sync.WaitGroup
	for n := range batches {
		all := make([]intake.Item, 0, emails)
		for i := range emails {
			if n%2 == 1 {
				i = emails - 1 - i
			}
			all = append(all, intake.Item{Draft: draft(fmt.Sprintf("e%d@example.com", i))})
		}
		wg.Go(func() {
			out, err := b.CreateMany(t.Context(), b.principal, all, lead.RefuseDuplicate)
			if err != nil {
				t.Error(err)
				return
			}
			if n%2 == 1 {
				for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
					out[i], out[j] = out[j], out[i]
				}
			}
			outs[n] = out
		})
		wg.Go(func() {
			if _, _, err := create(t.Context(), b.Service, b.principal, intake.Item{Draft: draft(fmt.Sprintf("e%d@example.com",
				n))}); err != nil && !fault.Is(err, fault.Duplicate) {
				t.Errorf("Create beside batches = %v", err)
			}
		})
	}
	wg.Wait()
	if n := b.rows(t, "leads"); n != emails {
		t.Errorf("there are %d leads, want %d", n, emails)
	}
	for i := range emails {
		for n := range outs {
			if outs[n] != nil && (outs[n][i].Err != nil || outs[n][i].ID != outs[0][i].ID) {
				t.Fatalf("batch %d says %+v of e%d, batch 0 %+v", n, outs[n][i], i, outs[0][i])
			}
		}
	}
}

func TestPoisonInABatchCostsOnlyItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var all []intake.Item
	for i := range 33 {
		d := draft(fmt.Sprintf("p%d@example.com", i))
		if i == 17 {
			d.Metadata = []byte(`{not json`)
		}
		all = append(all, intake.Item{Draft: d})
	}
	for i, one := range b.mustCreateMany(t, lead.RefuseDuplicate, all) {
		if (one.Err != nil) != (i == 17) {
			t.Errorf("lead %d: %v", i, one.Err)
		}
	}
}

func TestBatchWithoutStores(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.redis.Kill()
	out := b.mustCreateMany(t, lead.RefuseDuplicate, requests("a@example.com", "b@example.com"))
	again := b.mustCreateMany(t, lead.RefuseDuplicate, requests("b@example.com"))
	if !again[0].Exists || again[0].ID != out[1].ID {
		t.Errorf("a duplicate without Redis = %+v, want lead b", again)
	}
	b.db.Close()
	if _, err := b.CreateMany(t.Context(), b.principal, requests("c@example.com"), lead.RefuseDuplicate); !fault.Is(err,
		fault.Unavailable) {
		t.Errorf("CreateMany without Postgres = %v, want UNAVAILABLE", err)
	}
}

// Large leads go into statements of about a megabyte each: what one holds in memory is many times what it writes.
func TestLargeLeadsAreWrittenInParts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var all []intake.Item
	for n := range 60 {
		d := draft(fmt.Sprintf("large%d@example.com", n))
		d.Metadata = fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("x", 30_000))
		all = append(all, intake.Item{Draft: d})
	}
	for i, r := range b.mustCreateMany(t, lead.RefuseDuplicate, all) {
		if r.Err != nil || r.Exists {
			t.Errorf("lead %d = %+v, want it created", i, r)
		}
	}
	var leads, commits int
	const q = `select count(*), count(distinct cast(xmin as text)) from leads where workspace_id = $1`
	if err := b.db.QueryRowContext(t.Context(), q, b.principal.WorkspaceID).Scan(&leads, &commits); err != nil {
		t.Fatal(err)
	}
	if leads != 60 || commits < 2 || commits > 4 {
		t.Errorf("%d leads in %d commits, want 60 in 2 to 4", leads, commits)
	}
}
