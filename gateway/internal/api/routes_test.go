package api_test

import (
	"slices"
	"strings"
	"testing"

	"leadgate/gateway/internal/api"
	"leadgate/shared/id"
)

// Whatever a path does not take is 405, and Allow has exactly what it does take.
func TestEveryOtherMethodIsNotAllowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	taken := map[string][]string{}
	for _, r := range api.Routes() {
		path := strings.NewReplacer("{id}", "x", "{chatbotId}", id.Chatbot.Format(b.chatbot)).Replace(r[1])
		taken[path] = append(taken[path], r[0])
		if r[0] == "GET" {
			taken[path] = append(taken[path], "HEAD")
		}
	}
	// these are also {id}s that nothing has
	for _, literal := range []string{"/api/v1/leads/batch", "/api/v1/leads/export", "/api/v1/submissions/export"} {
		also := taken[literal[:strings.LastIndex(literal, "/")]+"/x"]
		taken[literal] = slices.Compact(slices.Sorted(slices.Values(append(taken[literal], also...))))
	}
	all := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} // in the order of Allow
	for path, methods := range taken {
		slices.SortFunc(methods, func(x, y string) int { return slices.Index(all, x) - slices.Index(all, y) })
		for _, method := range all {
			if slices.Contains(methods, method) {
				continue
			}
			got := b.send(t, b.secret, method, path, "")
			if want := strings.Join(methods, ", "); got.status != 405 || got.header.Get("Allow") != want || method != "HEAD" &&
				got.body.Code != "METHOD_NOT_ALLOWED" {
				t.Errorf("%s %s = %d %s, Allow %q, want METHOD_NOT_ALLOWED and %q", method, path, got.status, got.text,
					got.header.Get("Allow"), want)
			}
		}
	}
}
