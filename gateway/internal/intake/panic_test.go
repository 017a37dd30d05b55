package intake_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/fault"
	"leadgate/shared/pg/pgtest"
)

// Batches run outside of any request, where a panic ends the process unless somebody recovers it. A Redis client and a
// waker that are not there make one.
func TestAPanicInABatchIsAnError(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s := intake.New(intake.Deps{DB: db, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Registry: prometheus.NewRegistry(), Now: time.Now})
	p := mustWorkspace(t, db)
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
	s.Stop()
}
