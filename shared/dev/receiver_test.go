package main

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"leadgate/shared/client"
	"leadgate/shared/testwait"
)

// mustLead posts a lead with the key in DIR/env.
func mustLead(t *testing.T, env map[string]string, email string) {
	t.Helper()
	c := client.New(client.Options{URL: env["LEADGATE_URL"], Key: env["LEADGATE_KEY"]})
	defer c.Close()
	if _, err := c.CreateLead(t.Context(), client.NewLead{Email: email}, client.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// mustEndpoints returns the demo workspace's endpoints.
func mustEndpoints(t *testing.T, env map[string]string) []client.Webhook {
	t.Helper()
	c := client.New(client.Options{URL: env["LEADGATE_URL"], Key: env["LEADGATE_KEY"]})
	defer c.Close()
	p, err := c.ListWebhooks(t.Context(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	return p.Data
}

// Each webhook is printed once it is verified, by one endpoint, also where data is kept and the port has another owner.
func TestWebhooksArePrinted(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
	args := []string{"-dir", dir, "-listen", "127.0.0.1:0", "-admin-listen", "127.0.0.1:0"}
	printed := func(out *screen, email string) {
		t.Helper()
		testwait.Until(t, "a verified webhook about "+email, func() bool {
			return strings.Contains(out.String(), " lead.created "+email+", signature verified\n") &&
				strings.Contains(out.String(), " lead.enriched "+email+", signature verified\n")
		})
	}
	out, stop := session(t, args...)
	env := dotenv(t, dir)
	mustLead(t, env, "ann@example.com")
	printed(out, "ann@example.com")
	first := mustEndpoints(t, env)
	if len(first) != 1 || !strings.Contains(out.String(), first[0].URL) {
		t.Fatalf("endpoints = %+v, want the receiver's, which the screen names:\n%s", first, out)
	}
	res, err := http.Post(first[0].URL, "application/json", strings.NewReader(`{"type":"lead.created"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest || !strings.Contains(out.String(), "signature not verified") {
		t.Errorf("a webhook without a signature = %d, want 400 and a line that says so:\n%s", res.StatusCode, out)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	l, err := net.Listen("tcp", hostOf(first[0].URL))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, stop = session(t, args...)
	env = dotenv(t, dir)
	mustLead(t, env, "bob@example.com")
	printed(out, "bob@example.com")
	if again := mustEndpoints(t, env); len(again) != 1 || again[0].ID != first[0].ID || again[0].URL == first[0].URL {
		t.Errorf("endpoints of the second session = %+v, want the first one's at another address than %s", again, first[0].URL)
	}
	stop()

	out, _ = session(t, append(args, "-receiver=false")...)
	if left := mustEndpoints(t, dotenv(t, dir)); len(left) != 0 || !strings.Contains(out.String(), "not printed") {
		t.Errorf("endpoints with -receiver=false = %+v, want none", left)
	}
}
