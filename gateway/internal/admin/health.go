package admin

import (
	"context"
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/rdb"
)

const pingTimeout = 2 * time.Second

// stores is the body of /readyz.
type stores struct {
	Postgres string `json:"postgres"`
	Redis    string `json:"redis"`
}

// health says that the process answers, and nothing about what it depends on: restarting it would not repair a store.
func (s *server) health(w http.ResponseWriter, _ *http.Request) error {
	return httpx.Data(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness is whether requests should come here, which they should not once the gateway is about to end. Without Redis they should: leads are still taken in.
func (s *server) readiness(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	state := stores{Postgres: "ok", Redis: "ok"}
	redis := make(chan rdb.State, 1) // beside Postgres, so that a Redis that hangs takes no time from it
	go func() { redis <- rdb.Ready(ctx, s.redis) }()
	err := s.ready(ctx)
	if r := <-redis; !r.OK() {
		state.Redis = r.String() + ", ingest goes on"
	}
	select {
	case <-s.stopping:
		return &fault.Error{Kind: fault.Unavailable, Public: "This gateway is about to end", Details: state}
	default:
	}
	if err != nil {
		state.Postgres = "away"
		f := fault.StoreUnavailable(err, time.Second)
		f.Details = state
		return f
	}
	return httpx.Data(w, http.StatusOK, state)
}
