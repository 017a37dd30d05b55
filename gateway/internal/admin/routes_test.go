package admin_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"leadgate/gateway/internal/admin"
)

// Whatever a path does not take is 405, and Allow has exactly what it does take.
func TestEveryOtherMethodIsNotAllowed(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	taken := map[string][]string{"/metrics": {"GET"}, "/debug/pprof/heap": {"GET"}}
	for _, r := range admin.Routes() {
		path := strings.NewReplacer("{ws}", "ws_x", "{key}", "key_x", "{name}", "style.css", "{endpoint}",
			"we_x").Replace(r[1])
		taken[path] = append(taken[path], r[0])
	}
	all := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} // in the order of Allow
	for path, methods := range taken {
		slices.SortFunc(methods, func(x, y string) int { return slices.Index(all, x) - slices.Index(all, y) })
		for _, method := range append(all, "OPTIONS") {
			if slices.Contains(methods, method) {
				continue
			}
			got := b.do(b.request(method, path, ""))
			if want := strings.Join(methods, ", "); got.status != http.StatusMethodNotAllowed ||
				got.header.Get("Allow") != want ||
				method != "HEAD" && !strings.Contains(got.body, `"code":"METHOD_NOT_ALLOWED"`) {
				t.Errorf("%s %s = %d %s, Allow %q, want METHOD_NOT_ALLOWED and %q", method, path, got.status, got.body,
					got.header.Get("Allow"), want)
			}
		}
	}
}

// What a form of a page does, a route of the admin API does too.
func TestEveryFormHasATwin(t *testing.T) {
	t.Parallel()
	const workspace, api = "/admin/workspaces/{ws}", "/admin/api/v1/workspaces"
	twins := map[string][2]string{
		"/admin/workspaces":                       {"POST", api},
		workspace:                                 {"PATCH", api + "/{ws}"},
		workspace + "/chatbots":                   {"POST", api + "/{ws}/chatbots"},
		workspace + "/keys":                       {"POST", api + "/{ws}/keys"},
		workspace + "/keys/{key}/revoke":          {"DELETE", api + "/{ws}/keys/{key}"},
		workspace + "/console":                    {"POST", api + "/{ws}/console-sessions"},
		workspace + "/suspend":                    {"POST", api + "/{ws}/suspend"},
		workspace + "/deletion":                   {"POST", api + "/{ws}/deletion"},
		workspace + "/resume":                     {"POST", api + "/{ws}/resume"},
		workspace + "/endpoints/{endpoint}/probe": {"POST", api + "/{ws}/endpoints/{endpoint}/probe"},
	}
	all := admin.Routes()
	for _, r := range all {
		session := r[1] == "/admin/login" || r[1] == "/admin/logout"
		if r[0] != "POST" || session || strings.HasPrefix(r[1], "/admin/api/") {
			continue
		}
		if twin, ok := twins[r[1]]; !ok || !slices.Contains(all, twin) {
			t.Errorf("POST %s has no twin in the admin API, want one", r[1])
		}
	}
}
