package intake_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/intake"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb"
	"leadgate/shared/rdb/redistest"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
)

// BenchmarkCreate is the whole way of a lead without HTTP: gate, group commit, mark, wake. -cpu and SetParallelism make
// callers.
func BenchmarkCreate(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			db := pgtest.New(b)
			store := redistest.Start(b)
			client, err := rdb.Open(store.URL(), rdb.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close()
			s := intake.New(intake.Deps{DB: db, Redis: client, Waker: task.NewWaker(client), Log: slog.New(slog.DiscardHandler),
				Registry: prometheus.NewRegistry(), Now: time.Now})
			defer s.Stop()
			p := &tenant.Principal{WorkspaceID: pgtest.Workspace(b, db).ID, Settings: tenant.Settings{Rate: 1_000_000,
				Burst: 1_000_000}.WithDefaults()}
			var n atomic.Int64
			b.SetParallelism(max(1, callers/2))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, _, err := create(context.Background(), s, p, intake.Item{Draft: draft(fmt.Sprintf("b%d@example.com",
						n.Add(1)))}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "leads/s")
		})
	}
}
