package intake

import (
	"context"
	"errors"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
	"leadgate/shared/task"
)

// Told is what Redis and the workers are to hear of a lead that was changed. Postgres has it already.
type Told struct {
	Workspace id.UUID
	Lead      id.UUID
	Freed     string // the unique key it gave up; "": none
	Holds     string // the unique key it took; "": none
	Enrich    bool   // it is owed enrichment
	Wake      []pg.EndpointRef
}

// ToldOf is what is to be heard of a changed lead.
func ToldOf(u *pg.Updated) Told {
	t := Told{Workspace: u.Lead.WorkspaceID, Lead: u.Lead.ID, Freed: u.ReleasedKey, Enrich: u.Changed && u.Lead.DeletedAt == nil, Wake: u.Wake}
	if u.Lead.UniqueKey != u.Former.UniqueKey && u.Lead.DeletedAt == nil {
		t.Holds = u.Lead.UniqueKey
	}
	return t
}

// Tell makes it known at once, before the client hears of it. Where that fails what was freed is told as soon as Redis can hear it, by this process
// or by the sweep: it stays in Postgres until Redis knows. The sweep does the rest.
func (s *Service) Tell(ctx context.Context, t Told) {
	freed := pg.Release{Workspace: t.Workspace, UniqueKey: t.Freed, LeadID: t.Lead}
	if !s.breaker.Allow(s.Now()) {
		if t.Freed != "" {
			s.untold.add(freed)
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if t.Freed != "" {
		if err := s.release(ctx, []pg.Release{freed}); err != nil {
			s.untold.add(freed)
			return
		}
	}
	var held []rdb.Reservation
	if t.Holds != "" {
		held = []rdb.Reservation{{Workspace: t.Workspace, UniqueKey: t.Holds, LeadID: t.Lead}}
	}
	keys := make([]task.Key, 0, len(t.Wake)+1)
	if t.Enrich {
		keys = append(keys, task.Enrich(t.Workspace))
	}
	for _, w := range t.Wake {
		keys = append(keys, task.Drain(w.Workspace, w.Endpoint))
	}
	if len(held)+len(keys) > 0 {
		s.recordRedis(s.Waker.Announce(ctx, held, keys))
	}
}

// Doubt makes Postgres decide about an email that Redis says a lead has, although it was found to have it no longer.
func (s *Service) Doubt(ctx context.Context, workspace id.UUID, emailKey string, holder id.UUID) {
	s.Tell(ctx, Told{Workspace: workspace, Lead: holder, Freed: emailKey})
}

// Conflict makes a DUPLICATE_EMAIL of *pg.EmailTaken and returns other errors as they are.
func Conflict(err error) error {
	var taken *pg.EmailTaken
	if errors.As(err, &taken) {
		return duplicate(taken.Email, taken.Holder)
	}
	return err
}

// errSuppressed says that an email may not be a lead's.
func errSuppressed() error {
	return fault.New(fault.Suppressed, "This email was erased and may not come back")
}

// Allowed is EMAIL_SUPPRESSED when a lead may not take the email of d.
func (s *Service) Allowed(ctx context.Context, workspace id.UUID, p lead.Patch) error {
	if p.AddressKey == "" {
		return nil
	}
	suppressed, err := s.DB.Suppressed(ctx, workspace, []string{p.AddressKey})
	if err == nil && suppressed[p.AddressKey] {
		return errSuppressed()
	}
	return err
}
