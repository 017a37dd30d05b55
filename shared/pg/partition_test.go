package pg_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// partitionless is a workspace with a lead to change, one to erase and one that is pending, in a database whose
// partitions for now are gone, as after weeks without a process.
type partitionless struct {
	db             *pg.DB
	url            string
	ws             id.UUID
	endpoint       webhook.Endpoint
	changed, erase lead.Lead
	batch          pg.LeasedBatch
	token          id.UUID
}

func withoutPartitions(t *testing.T) *partitionless {
	t.Helper()
	p := &partitionless{url: pgtest.URL(t), token: id.New()}
	p.db = mustOpen(t, p.url, pg.Options{MaxConns: 4})
	p.ws = pgtest.Workspace(t, p.db).ID
	p.endpoint = pgtest.Endpoint(t, p.db, p.ws)
	p.changed, p.erase = pgtest.Lead(t, p.db, p.ws), pgtest.Lead(t, p.db, p.ws)
	var err error
	p.batch, err = p.db.LeaseDue(t.Context(), pg.LeaseRequest{Workspace: p.ws, Endpoint: p.endpoint.ID, Token: p.token,
		Lease: time.Minute, Limit: 1})
	if err != nil || len(p.batch.Due) != 1 {
		t.Fatalf("LeaseDue() = %d deliveries, %v, want one", len(p.batch.Due), err)
	}
	// The rows of deliveries are left where they are: an attempt needs its delivery. All that is written now goes
	// elsewhere.
	for _, parent := range []string{"events", "attempts"} {
		mustDropPartitions(t, p.db, parent)
	}
	return p
}

// mustDropPartitions drops all partitions of a table.
func mustDropPartitions(t *testing.T, db *pg.DB, parent string) {
	t.Helper()
	var names []string
	const q = `select inhrelid::regclass::text from pg_inherits where inhparent = $1::regclass`
	if err := db.SelectContext(t.Context(), &names, q, parent); err != nil || len(names) == 0 {
		t.Fatalf("partitions of %s = %v, %v", parent, names, err)
	}
	for _, name := range names {
		pgtest.Exec(t, db, "drop table "+name)
	}
}

// writes are what writes events, deliveries or attempts.
var writes = map[string]func(context.Context, *pg.DB, *partitionless) error{
	"create": func(ctx context.Context, db *pg.DB, p *partitionless) error {
		l := p.changed
		l.ID, l.Email, l.UniqueKey = id.New(), "new@example.com", "new@example.com"
		_, err := db.InsertLeads(ctx, []pg.NewLead{{Lead: l, EventID: id.New()}})
		return err
	},
	"change": func(ctx context.Context, db *pg.DB, p *partitionless) error {
		_, err := db.UpdateLead(ctx, p.ws, p.changed.ID, func(l *lead.Lead) error { l.Name = "Ann"; return nil })
		return err
	},
	"delete": func(ctx context.Context, db *pg.DB, p *partitionless) error {
		_, err := db.DeleteLead(ctx, p.ws, p.changed.ID, func(*lead.Lead) error { return nil })
		return err
	},
	"erase": func(ctx context.Context, db *pg.DB, p *partitionless) error {
		_, err := db.EraseLead(ctx, p.ws, p.erase.ID, pg.Erasure{})
		return err
	},
	"enrich": func(ctx context.Context, db *pg.DB, p *partitionless) error {
		_, err := db.Enrich(ctx, []id.UUID{p.ws}, 10, func(_ context.Context, _ tenant.Settings, leads []lead.Lead) []pg.Finding {
			out := make([]pg.Finding, len(leads))
			for i := range out {
				out[i].Facts = []byte(`{"n":1}`)
			}
			return out
		})
		return err
	},
	"record": func(ctx context.Context, db *pg.DB, p *partitionless) error {
		a := webhook.Attempt{DeliveryID: p.batch.Due[0].DeliveryID, ID: id.New(), Number: 1, Status: 200, At: time.Now()}
		_, err := db.RecordOutcomes(ctx, pg.RecordRequest{Workspace: p.ws, Endpoint: p.endpoint.ID, Token: p.token,
			Outcomes: []webhook.Outcome{{Attempt: a, State: webhook.Delivered}}})
		return err
	},
	"test": func(ctx context.Context, db *pg.DB, p *partitionless) error {
		_, err := db.CreateTestDelivery(ctx, p.ws, p.endpoint.ID, id.New(), []byte(`{}`), time.Now())
		return err
	},
	"notice": func(ctx context.Context, db *pg.DB, p *partitionless) error {
		_, _, err := db.DisableGone(ctx, p.ws, p.endpoint.ID, p.endpoint.URL)
		return err
	},
}

// Whatever is written makes the partitions that it needs.
func TestWritesMakeTheirPartitions(t *testing.T) {
	t.Parallel()
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := withoutPartitions(t)
			if err := write(t.Context(), p.db, p); err != nil {
				t.Errorf("%s = %v, want nil", name, err)
			}
		})
	}
}

// A role that must not make tables is told that this is for now, not that its request is wrong.
func TestWritesWithoutPartitionsAreUnavailable(t *testing.T) {
	t.Parallel()
	p := withoutPartitions(t)
	role := "limited_" + p.ws.String()[:8]
	for _, q := range []string{"create role " + role + " login password 'limited'", "grant usage on schema public to " + role,
		"revoke create on schema public from public",
		"grant select, insert, update, delete on all tables in schema public to " + role} {
		pgtest.Exec(t, p.db, q)
	}
	t.Cleanup(func() {
		for _, q := range []string{"drop owned by " + role, "drop role " + role} {
			pgtest.Exec(t, p.db, q)
		}
	})
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "limited")
	limited := mustOpen(t, u.String(), pg.Options{MaxConns: 2})
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			if err := write(t.Context(), limited, p); !fault.Is(err, fault.Unavailable) {
				t.Errorf("%s = %v, want UNAVAILABLE", name, err)
			}
		})
	}
}
