package loadgen

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// Tenant is a workspace with a key of the default scopes.
type Tenant struct {
	Workspace id.UUID
	Key       string
}

// The limits of a tenant: far above what one machine can send.
const tenantRate, tenantBurst = 50_000, 100_000

// NewTenant makes a tenant of its own for a load, so that loads do not meet.
func NewTenant(ctx context.Context, db *pg.DB, name string) (t Tenant, err error) {
	now := time.Now()
	t = Tenant{id.New(), tenant.NewSecret()}
	w := tenant.Workspace{ID: t.Workspace, Name: name, Settings: tenant.Settings{Rate: tenantRate, Burst: tenantBurst},
		CreatedAt: now, UpdatedAt: now}
	hash, ok := tenant.HashSecret(t.Key)
	if !ok {
		return t, errors.New("a new secret does not hash")
	}
	if err := db.CreateWorkspace(ctx, w); err != nil {
		return t, err
	}
	k := tenant.Key{WorkspaceID: t.Workspace, ID: id.New(), Name: name, Hint: tenant.Hint(t.Key),
		Scopes: tenant.DefaultScopes(), CreatedAt: now}
	return t, db.CreateKey(ctx, k, hash)
}

// NewEndpoint fills in what an endpoint of workspace cannot be without, and stores it.
func NewEndpoint(ctx context.Context, db *pg.DB, workspace id.UUID, e webhook.Endpoint) (webhook.Endpoint, error) {
	now := time.Now()
	e.WorkspaceID, e.ID, e.Enabled, e.CreatedAt, e.UpdatedAt = workspace, id.New(), true, now, now
	if e.Secret == "" {
		e.Secret = webhook.NewSecret()
	}
	if e.EventTypes == nil {
		e.EventTypes = []string{webhook.LeadCreated}
	}
	return e, db.CreateEndpoint(ctx, e)
}

// Fill is leads to be put into Postgres as the gateway does it, but without a request for each.
type Fill struct {
	Workspace id.UUID
	Run       string // tells these leads' emails from others'
	Leads     int
	Batch     int // in one statement; 0: 500

	// Vary makes the n-th lead differ from the others; nil: only their emails do.
	Vary func(n int, l *lead.Lead)

	// Wake gets the endpoints that got work, after each commit and from several goroutines; nil: the sweep finds them.
	Wake func(context.Context, []pg.EndpointRef) error
}

// fillers are the statements under way at once.
const fillers = 4

// Into writes the leads with their events and deliveries.
func (f Fill) Into(ctx context.Context, db *pg.DB) error {
	if f.Batch == 0 {
		f.Batch = 500
	}
	draft, err := lead.Parse(AppendLead(nil, "template@example.com"), tenant.Settings{}.WithDefaults().Rules())
	if err != nil {
		return err
	}
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range fillers {
		g.Go(func() error {
			for {
				last := int(next.Add(int64(f.Batch)))
				first := last - f.Batch
				if first >= f.Leads {
					return nil
				}
				in, err := db.InsertLeads(ctx, f.batch(draft, first, min(last, f.Leads)))
				if err == nil && f.Wake != nil {
					err = f.Wake(ctx, in.Wake)
				}
				if err != nil {
					return fmt.Errorf("fill: %w", err)
				}
			}
		})
	}
	return g.Wait()
}

func (f Fill) batch(d lead.Draft, from, until int) []pg.NewLead {
	all := make([]pg.NewLead, 0, until-from)
	now := time.Now().UTC().Truncate(time.Millisecond)
	for n := from; n < until; n++ {
		email := fmt.Sprintf("fill.%s.%d@example.com", f.Run, n)
		all = append(all, pg.NewLead{EventID: id.New(), Lead: lead.Lead{
			WorkspaceID: f.Workspace, ID: id.New(), Name: d.Name, Email: email, UniqueKey: email, Phone: d.Phone,
			Source: d.Source, Status: d.Status, Metadata: d.Metadata, CreatedAt: now, UpdatedAt: now,
		}})
		if f.Vary != nil {
			f.Vary(n, &all[len(all)-1].Lead)
		}
	}
	return all
}
