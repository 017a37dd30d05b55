package admin

import (
	"context"

	"leadgate/shared/pg"
)

// startPage says how the installation does at a glance.
type startPage struct {
	Docs            string
	Postgres, Redis bool        // whether they answer
	Backlog         *pg.Backlog // nil: it could not be counted in time
}

func start(v *visit) error {
	p := startPage{
		Docs: docsURL(v.apiAddr, v.r.Host), Postgres: answers(v.ready),
		Redis: answers(func(ctx context.Context) error { return v.redis.Ping(ctx).Err() }),
	}
	if p.Postgres {
		if b, ok := v.backlog.read(); ok {
			p.Backlog = &b
		}
	}
	return v.show("start.html", "Overview", p)
}

// OldestDueMs is how long the first delivery that is due has waited, as templates show it.
func (p startPage) OldestDueMs() *int {
	ms := int(p.Backlog.OldestDue.Milliseconds())
	return &ms
}
