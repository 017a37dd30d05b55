package httpx_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"leadgate/gateway/internal/httpx"
)

// BenchmarkRequest is what the edge costs a request that nobody traces.
func BenchmarkRequest(b *testing.B) {
	e := httpx.New(httpx.Deps{Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(), Listener: "api"})
	r := mux.NewRouter()
	httpx.RouterErrors(r, e)
	r.Handle("/api/v1/leads", e.Handle(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusNoContent)
		return nil
	})).Methods("POST")
	h := e.Wrap(r)
	req := httptest.NewRequest("POST", "/api/v1/leads", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), req)
	}
}
