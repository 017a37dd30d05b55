package intake_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/testwait"
)

// setupWithoutWaker is an intake whose Redis client and waker are not there: whoever uses them panics.
func setupWithoutWaker(t *testing.T) (*intake.Service, *pg.DB, *tenant.Principal) {
	t.Helper()
	db := pgtest.New(t)
	s := intake.New(intake.Deps{DB: db, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Registry: prometheus.NewRegistry(), Now: time.Now})
	t.Cleanup(s.Stop)
	return s, db, mustWorkspace(t, db)
}

// Batches run outside of any request, where a panic ends the process unless somebody recovers it.
func TestAPanicInABatchIsAnError(t *testing.T) {
	t.Parallel()
	s, _, p := setupWithoutWaker(t)
	var posts sync.WaitGroup
	for range 20 {
		posts.Go(func() {
			_, v, err := create(t.Context(), s, p, intake.Item{Draft: draft("a@example.com")})
			if err == nil || fault.From(err).Kind != fault.Internal || v.Limited {
				t.Errorf("Create() = %v, %+v, want INTERNAL and no rate limit", err, v)
			}
		})
	}
	posts.Wait()
}

// So it is in a lane, where a lead goes whose email another transaction has.
func TestAPanicInALaneIsAnError(t *testing.T) {
	t.Parallel()
	s, db, p := setupWithoutWaker(t)
	b := &bundle{s, db, nil, p}
	tx := b.mustHold(t, "a@example.com")
	posted := make(chan error, 1)
	go func() {
		_, _, err := create(t.Context(), s, p, intake.Item{Draft: draft("a@example.com")})
		posted <- err
	}()
	testwait.Until(t, "the workspace to be contended", func() bool { return s.Contended(p.WorkspaceID) })
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-posted; err == nil || fault.From(err).Kind != fault.Internal {
		t.Errorf("Create() in a lane = %v, want INTERNAL", err)
	}
}
