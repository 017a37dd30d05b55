package intake

import (
	"context"
	"errors"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// Change is what Redis and the workers need to know about a lead that was changed in Postgres.
type Change struct {
	Workspace id.UUID
	Lead      id.UUID
	Released  string // the unique key that it gave up; "": none
	Reserved  string // the unique key that it took; "": none
	Enrich    bool   // enrichment of it is pending
	Wake      []pg.EndpointRef
}

// ChangeOf returns the change that u made.
func ChangeOf(u *pg.Updated) Change {
	c := Change{Workspace: u.Lead.WorkspaceID, Lead: u.Lead.ID, Released: u.ReleasedKey, Wake: u.Wake}
	c.Enrich = u.Changed && u.Lead.DeletedAt == nil
	if u.Lead.UniqueKey != u.Former.UniqueKey && u.Lead.DeletedAt == nil {
		c.Reserved = u.Lead.UniqueKey
	}
	return c
}

// Publish tells Redis and the workers about a change before the client gets its answer. Without Redis nothing is lost:
// the reservation of an email that was given up is only a hint, and the worker's sweep does the rest.
func (s *Service) Publish(ctx context.Context, c Change) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if c.Released != "" {
		if rdb.Release(ctx, s.Redis, c.Workspace, c.Released) != nil {
			return
		}
	}
	var reservations []rdb.Reservation
	if c.Reserved != "" {
		reservations = []rdb.Reservation{{Workspace: c.Workspace, UniqueKey: c.Reserved, LeadID: c.Lead}}
	}
	keys := make([]task.Key, 0, len(c.Wake)+1)
	if c.Enrich {
		keys = append(keys, task.EnrichDue())
	}
	for _, w := range c.Wake {
		keys = append(keys, task.Drain(w.Workspace, w.Endpoint))
	}
	if len(reservations)+len(keys) > 0 {
		_ = s.Waker.Announce(ctx, reservations, keys) // the sweep does it
	}
}

// AsDuplicate returns a DUPLICATE_EMAIL or DUPLICATE_PHONE for *pg.Taken, and other errors as they are.
func AsDuplicate(err error) error {
	var taken *pg.Taken
	if errors.As(err, &taken) {
		return duplicate(taken.Lead, taken.Holder)
	}
	return err
}
