package form

import (
	"context"
	"errors"
	"strings"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/rdb"
)

// Limits of what is shown to a visitor whose page may not use the form.
const (
	maxEntries     = 16 << 10 // bytes
	maxEntryFields = 100
)

// refusal is a page's origin that may not use a form.
type refusal struct {
	form   id.UUID
	origin string
}

// refused remembers the page's origin for the form's owner, and keeps what a person typed there, so that it can be
// copied; scripts still have it. An address that asks too often gets neither.
func (q *request) refused(err error) {
	var page refusedOrigin
	if !errors.As(fault.From(err).Cause, &page) ||
		q.asked.Take(sender{q.p.KeyID, network(q.client.Addr)}, askRate(q.client), q.Now()).Limited {
		return
	}
	once := limit.NewRate(1, time.Minute, 1)
	if !q.told.Take(refusal{q.p.KeyID, page.origin}, once, q.Now()).Limited {
		askRedis(q.r.Context(), q.Service, func(ctx context.Context) (none struct{}, err error) {
			return none, rdb.RememberRefusedOrigin(ctx, q.Redis, q.p.WorkspaceID, q.p.KeyID,
				rdb.RefusedOrigin{Origin: page.origin, LastAt: q.Now()})
		})
	}
	if !q.plain {
		return
	}
	if s, failed := q.read(); failed == nil {
		q.entries = s.entries()
	}
}

// RefusedOrigins returns the origins whose pages may not use a form and tried to lately, the newest first. UNAVAILABLE:
// Redis, which alone remembers them, does not answer.
func (s *Service) RefusedOrigins(ctx context.Context, workspace, form id.UUID) ([]rdb.RefusedOrigin, error) {
	found, ok := askRedis(ctx, s, func(ctx context.Context) ([]rdb.RefusedOrigin, error) {
		return rdb.RefusedOrigins(ctx, s.Redis, workspace, form)
	})
	if !ok {
		return nil, fault.StoreUnavailable(errors.New("redis is away"), time.Second)
	}
	return found, nil
}

// entries are the texts that a visitor entered, with the names of the inputs.
func (s *Submission) entries() string {
	var b strings.Builder
	n := 0
	var walk func(in *node)
	walk = func(in *node) {
		for _, c := range in.all {
			name := c.sent()
			switch {
			case c.gone || c.hidden || isSecret(name) || c.empty() || n == maxEntryFields || b.Len() >= maxEntries:
			case c.kind == objectKind || c.kind == listKind:
				walk(c)
			default:
				n++
				b.WriteString(fault.Truncate(name) + ": " + strings.TrimSpace(c.string()) + "\n")
			}
		}
	}
	walk(s.root)
	text := b.String()
	if len(text) > maxEntries {
		text = strings.ToValidUTF8(text[:maxEntries], "") + " …"
	}
	return text
}
