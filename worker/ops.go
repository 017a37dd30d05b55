package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"

	"leadgate/shared/admintoken"
	"leadgate/shared/config"
	"leadgate/shared/fault"
	"leadgate/shared/pg"
	"leadgate/shared/rdb"
)

// newOps returns the server of the operators' pages. Of these, profiles show what a process works on and cost it time:
// they are for who has one of the tokens, and without a token for nobody. pprof's cmdline is not among them: a flag may
// hold a secret.
func newOps(db *pg.DB, c redis.UniversalClient, registry *prometheus.Registry, tokens config.WatchedSecret,
	log *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	mux.Handle("GET /readyz", ready(db, c))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	if tokens.Secret == "" {
		mux.HandleFunc("/debug/pprof/", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Profiles are off: set LEADGATE_WORKER_TOKEN, which they ask for", http.StatusNotFound)
		})
	} else {
		mux.Handle("GET /debug/pprof/", guarded(admintoken.New(tokens, time.Now, log), profiles()))
	}
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
}

func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// guarded lets in requests with one of the tokens, as a Bearer or as the password of Basic.
func guarded(guard *admintoken.Guard, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := guard.Request(r); err != nil {
			f := fault.From(err)
			if f.RetryAfter > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
			} else {
				w.Header().Set("WWW-Authenticate", `Basic realm="leadgate worker", charset="UTF-8"`)
			}
			http.Error(w, f.Public, f.Kind.Status())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ready asks both stores. Without Postgres a worker can do nothing. Without Redis it waits, which a restart does not
// change, so that is only reported.
func ready(db *pg.DB, c redis.UniversalClient) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		redis := make(chan rdb.State, 1) // beside Postgres, so that one that hangs takes no time from the other
		go func() { redis <- rdb.Ready(ctx, c) }()
		postgres, status := "ok", http.StatusOK
		if db.Ready(ctx) != nil {
			postgres, status = "away", http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"postgres": postgres, "redis": (<-redis).String()})
	}
}
