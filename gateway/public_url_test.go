package main

import (
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
)

// Once it is set, every link and every sample has the installation's address, whatever a request says.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	const public = "https://leads.example.com"
	env := environment(pgtest.URL(t), redistest.Start(t).URL())
	env["LEADGATE_PUBLIC_URL"] = public + "/"
	g := start(t, env)
	ws, _ := newTenant(t, env)
	var key struct{ Secret string }
	g.send(g.admin+"/admin/api/v1/workspaces/"+ws+"/keys", token, `{"name":"owner","scopes":["keys:manage"]}`, &key)

	for path, want := range map[string]string{
		"/docs":         "curl -X POST " + public + "/api/v1/leads",
		"/openapi.json": public + "/",
	} {
		if status, text := g.send(g.api+path, "", "", nil); status != http.StatusOK || !strings.Contains(text, want) ||
			strings.Contains(text, g.api) || strings.Contains(text, "your-domain.com") {
			t.Errorf("GET %s = %d, want samples with %s alone", path, status, want)
		}
	}
	var made struct{ URL string }
	link := public + "/console/open#cl_"
	for url, bearer := range map[string]string{g.api + "/api/v1/console-sessions": key.Secret,
		g.admin + "/admin/api/v1/workspaces/" + ws + "/console-sessions": token} {
		if status, text := g.send(url, bearer, `{"scopes":["keys:manage"]}`, &made); status != http.StatusCreated ||
			!strings.HasPrefix(made.URL, link) {
			t.Errorf("POST %s = %d %s, want a link to %s", url, status, text, public)
		}
	}
	if _, page := g.send(g.admin+"/admin", token, "", nil); !strings.Contains(page, `href="`+public+`/docs"`) {
		t.Errorf("GET /admin = %s, want a link to the documentation at %s", page, public)
	}
	if text := must(t, env, "console-link", "--workspace", ws); !strings.Contains(text, "\n"+link) {
		t.Errorf("console-link = %s, want a link to %s", text, public)
	}
	for _, wrong := range []string{"leads.example.com", "ftp://leads.example.com", "https://", "https://leads.example.com/api",
		"https://leads.example.com?x", "https://leads.example.com#x", "https://a:b@leads.example.com", "https://$(evil)"} {
		env := environment("postgres://db/leads", "redis://redis")
		env["LEADGATE_PUBLIC_URL"] = wrong
		if _, err := command(env); err == nil ||
			!strings.Contains(err.Error(), "--public-url (LEADGATE_PUBLIC_URL): must be http:// or https://") {
			t.Errorf("run() with LEADGATE_PUBLIC_URL=%s = %v, want an error that says what it must be", wrong, err)
		}
	}
}
