package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/admin"
	"leadgate/gateway/internal/failures"
	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lifecycle"
	"leadgate/shared/rdb"
)

// fail has a request answered with 500, and returns its id.
func (b *bundle) fail() string {
	b.t.Helper()
	edge := httpx.New(httpx.Deps{Log: b.log, Listener: "api", Failed: b.failed.Record})
	h := edge.Wrap(edge.Handle(func(_ http.ResponseWriter, r *http.Request) error {
		httpx.AddLogField(r, "workspace", "ws_01jhn3k2d4f6h8k0n2q4s6v8x0")
		return fault.From(errors.New("a mistake with ann@example.com in it"))
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), http.MethodPost, "/api/v1/leads?email=ann@example.com",
		http.NoBody))
	return w.Header().Get("X-Request-Id")
}

// errorsAnswer is that of the admin API.
type errorsAnswer struct {
	AllGateways bool
	Errors      []struct {
		RequestID, Gateway, Listener, Method, Route, Code, WorkspaceID string
		Status                                                         int
	}
}

// An answer of 500 or above is found by its request id on every gateway, and without Redis on the one that sent it. It
// has nothing of the request but its route.
func TestServerErrorsAreFound(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	other := setup(t, func(d *admin.Deps) { d.Failures = failures.Run(&lifecycle.Group{}, b.redis, b.log) })
	if a := b.look("/admin/errors"); !strings.Contains(a.body, "No request was answered with 500") {
		t.Errorf("GET errors = %s, want a page that says that there is none", a.body)
	}
	first, second := b.fail(), b.fail()
	b.group.Stop(b.log, time.Minute) // writes what waits
	for name, at := range map[string]*bundle{"the gateway": b, "another": other} {
		var got errorsAnswer
		a := at.call("GET", "/admin/api/v1/errors?requestId="+first, "", http.StatusOK, &got)
		if len(got.Errors) != 1 || !got.AllGateways {
			t.Fatalf("GET error by id of %s = %s, want one", name, a.body)
		}
		e := got.Errors[0]
		if e.RequestID != first || e.Status != 500 || e.Code != "INTERNAL" || e.Method != "POST" || e.Listener != "api" ||
			e.WorkspaceID != "ws_01jhn3k2d4f6h8k0n2q4s6v8x0" || e.Gateway == "" || strings.Contains(a.body, "ann") {
			t.Errorf("GET error by id of %s = %s, want what the log has, without personal data", name, a.body)
		}
		if a := at.look("/admin/errors"); !strings.Contains(a.body, first) || !strings.Contains(a.body, second) {
			t.Errorf("GET errors page of %s = %s, want both", name, a.body)
		}
	}
	unknown := id.Request.Format(id.New())
	if a := b.look("/admin/errors?requestId=" + unknown); !strings.Contains(a.body, "No error with this id is kept") {
		t.Errorf("GET errors of an unknown id = %s, want a page that says so", a.body)
	}
	if a := b.look("/admin/errors?requestId=<x>"); a.status != http.StatusBadRequest || !strings.Contains(a.body, "req_") {
		t.Errorf("GET errors of what is no id = %d %s, want 400 that says what one is", a.status, a.body)
	}
	b.redis.Close()
	if a := b.look("/admin/errors"); !strings.Contains(a.body, first) || !strings.Contains(a.body, "this gateway alone") {
		t.Errorf("GET errors without Redis = %s, want its own, and that they are", a.body)
	}
}

// A flood of 503 does not push a 500 out, in memory or in Redis.
func TestAFloodLeavesRoom(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	other := setup(t, func(d *admin.Deps) { d.Failures = failures.Run(&lifecycle.Group{}, b.redis, b.log) })
	wanted := b.fail()
	for range 3 * rdb.MaxFailures {
		b.failed.Record(httpx.Failure{RequestID: id.Request.Format(id.New()), Status: http.StatusServiceUnavailable})
	}
	b.group.Stop(b.log, time.Minute)
	for name, at := range map[string]*bundle{"the gateway": b, "another": other} {
		var got errorsAnswer
		at.call("GET", "/admin/api/v1/errors", "", http.StatusOK, &got)
		ids := []string{}
		for _, e := range got.Errors {
			ids = append(ids, e.RequestID)
		}
		if !slices.Contains(ids, wanted) || len(ids) > 2*rdb.MaxFailures {
			t.Errorf("%s has %d errors, want at most %d with the 500 among them", name, len(ids), 2*rdb.MaxFailures)
		}
	}
}
