package e2e

import (
	"net/http"
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	t.Parallel()
	sys := mustSystem(t)
	for _, tc := range []struct{ url, contains string }{
		{sys.URL + "/", "/docs"},
		{sys.URL + "/docs", "/api/v1/leads"},
		{sys.URL + "/healthz", "ok"},
		{sys.URL + "/readyz", "ready"},
		{sys.AdminURL + "/readyz", ""},
		{sys.AdminURL + "/healthz", ""},
		{sys.AdminURL + "/metrics", "go_goroutines"},
	} {
		got := request(t, "GET", tc.url, "", "")
		if got.status != http.StatusOK || !strings.Contains(string(got.body), tc.contains) {
			t.Errorf("GET %s = %v, want 200 with %q in it", tc.url, got, tc.contains)
		}
	}
	if got := request(t, "GET", sys.URL+"/metrics", "", ""); got.status != http.StatusNotFound {
		t.Errorf("GET /metrics on the public listener = %d, want 404", got.status)
	}
	if got := request(t, "GET", sys.AdminURL+"/admin/api/v1/workspaces", "", ""); got.status != http.StatusUnauthorized {
		t.Errorf("the admin API without the token = %v, want 401", got)
	}
}
