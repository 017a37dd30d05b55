package e2e

import (
	"net/http"
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	t.Parallel()
	sys := mustSystem(t)
	for _, tc := range []struct{ listener, path, contains string }{
		{"api", "/", "/docs"},
		{"api", "/docs", "/api/v1/leads"},
		{"api", "/healthz", "ok"},
		{"api", "/readyz", "ready"},
		{"admin", "/readyz", ""},
		{"admin", "/healthz", ""},
		{"admin", "/metrics", "go_goroutines"},
	} {
		t.Run(tc.listener+tc.path, func(t *testing.T) {
			t.Parallel()
			got := request(t, "GET", map[string]string{"api": sys.URL, "admin": sys.AdminURL}[tc.listener]+tc.path, "", "")
			if got.status != http.StatusOK || !strings.Contains(string(got.body), tc.contains) {
				t.Errorf("GET %s = %v, want 200 with %q in it", tc.path, got, tc.contains)
			}
		})
	}
	if got := request(t, "GET", sys.URL+"/metrics", "", ""); got.status != http.StatusNotFound {
		t.Errorf("GET /metrics on the public listener = %d, want 404", got.status)
	}
	if got := request(t, "GET", sys.AdminURL+"/admin/api/v1/workspaces", "", ""); got.status != http.StatusUnauthorized {
		t.Errorf("the admin API without the token = %v, want 401", got)
	}
}
