package pg_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
)

// TestOneIsFoundByItsKey is the same for statements about one lead or delivery. Where workspaces have a row each on
// average, Postgres may well take any index that begins with the workspace.
func TestOneIsFoundByItsKey(t *testing.T) {
	t.Parallel()
	pgtest.NotOnCitus(t, "it is about plans of Postgres")
	s := newStale(t, func(s *stale) { s.fill(pgtest.Workspace(t, s.silent).ID, 20_000) })
	for _, c := range s.singleCases() {
		t.Run(c.name, func(t *testing.T) {
			s.measure(t, &c, s.custom, workBeside) // and reads Postgres' catalogs
			s.measure(t, &c, s.custom, workOfOne)
		})
	}
}

func (s *stale) singleCases() []staleCase {
	var one id.UUID
	next := func() { one = s.nextLead() }
	none := func(*lead.Lead) error { return nil }
	email := fmt.Sprintf("%d@example.com", staleLeads)
	return []staleCase{
		{"read a lead", 1, next, func(ctx context.Context, db *pg.DB) error {
			_, err := db.GetLead(ctx, s.ws, one)
			return err
		}},
		{"touches of a lead", 1, nil, func(ctx context.Context, db *pg.DB) error {
			got, err := db.LeadTouches(ctx, s.ws, s.submitted())
			if err == nil && (got.First == nil || got.Last == nil) {
				err = errors.New("there are none")
			}
			return err
		}},
		{"change a lead", 1, next, func(ctx context.Context, db *pg.DB) error {
			_, err := db.UpdateLead(ctx, s.ws, one, func(l *lead.Lead) error { l.Status = "won"; return nil })
			return err
		}},
		{"give a lead an email that another has", 1, next, func(ctx context.Context, db *pg.DB) error {
			_, err := db.UpdateLead(ctx, s.ws, one, func(l *lead.Lead) error { l.Email, l.UniqueKey = email, email; return nil })
			if taken := (*pg.Taken)(nil); errors.As(err, &taken) {
				return nil
			}
			return fmt.Errorf("UpdateLead = %w, want that the email is taken", err)
		}},
		{"delete a lead", 1, next, func(ctx context.Context, db *pg.DB) error {
			_, err := db.DeleteLead(ctx, s.ws, one, none)
			return err
		}},
		{"erase a lead", 1, next, func(ctx context.Context, db *pg.DB) error {
			_, err := db.EraseLead(ctx, s.ws, one, pg.Erasure{})
			return err
		}},
		{"read a delivery", 1, nil, func(ctx context.Context, db *pg.DB) error {
			_, err := db.GetDelivery(ctx, s.ws, s.deliveries(1)[0])
			return err
		}},
		{"resend a delivery", 1, nil, func(ctx context.Context, db *pg.DB) error {
			_, err := db.ResendDelivery(ctx, s.ws, s.deliveries(1)[0])
			return err
		}},
	}
}
