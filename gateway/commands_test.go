package main

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/tenants"
	"leadgate/shared/config"
	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/tenant"
	"leadgate/shared/version"
)

// must runs a command that has to succeed.
func must(t *testing.T, env map[string]string, args ...string) string {
	t.Helper()
	text, err := command(env, args...)
	if err != nil {
		t.Fatalf("run(%q) = %v", args, err)
	}
	return text
}

func TestKeysOfFormsAndTestsByCommandLine(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": pgtest.URL(t)}
	ws := field(must(t, env, "workspace", "create", "Acme"), "ws_")
	bot := field(must(t, env, "chatbot", "create", "--workspace", ws, "Front page"), "cb_")
	form := must(t, env, "key", "create", "--workspace", ws, "--name", "form", "--kind=publishable",
		"--origin=https://www.example.com", "--chatbot", bot)
	if text := field(form, "pk-workspace_"); !strings.Contains(must(t, env, "key", "list", "--workspace", ws, "--json"),
		text) {
		t.Errorf("key list does not show the publishable key %s", text)
	}
	test := must(t, env, "key", "create", "--workspace", ws, "--name", "test", "--test")
	sandbox := strings.TrimSuffix(field(test, "ws_"), ";")
	if _, ok := tenant.HashSecret(field(test, "sk-test_")); !ok || sandbox == ws {
		t.Errorf("key create --test = %s, want a key of another workspace", test)
	}
	if text := must(t, env, "workspace", "list"); !strings.Contains(text, sandbox+"  Acme (test)  test") {
		t.Errorf("workspace list = %s, want %s as test data", text, sandbox)
	}
	for _, wrong := range [][]string{{"--origin=https://www.example.com"}, {"--kind=publishable",
		"--origin=www.example.com"}, {"--kind=publishable", "--scopes=leads:read"}, {"--kind=public"}} {
		if _, err := command(env, append([]string{"key", "create", "--workspace", ws, "--name", "x"},
			wrong...)...); err == nil {
			t.Errorf("key create %v = nil, want an error", wrong)
		} else {
			t.Log(err)
		}
	}
}

func TestTenantsByCommandLine(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": pgtest.URL(t)}
	ws := field(must(t, env, "workspace", "create", "Acme", "--rate=50"), "ws_")
	if text := must(t, env, "workspace", "list"); !strings.Contains(text, ws) || !strings.Contains(text, "50/s") {
		t.Errorf("workspace list = %s, want %s with 50/s", text, ws)
	}
	waits := field(must(t, env, "workspace", "create", "Patient", "--retry-schedule=0s,90s,1d", "--delivery-target=1m"), "ws_")
	var all []struct {
		ID               string
		RetrySchedule    []int
		DeliveryTargetMs int
	}
	if err := json.Unmarshal([]byte(must(t, env, "workspace", "list", "--json")), &all); err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		if w.ID == waits && (!slices.Equal(w.RetrySchedule, []int{0, 90, 86400}) || w.DeliveryTargetMs != 60_000) ||
			w.ID == ws && (len(w.RetrySchedule) != 12 || w.DeliveryTargetMs != 0) {
			t.Errorf("workspace %s has schedule %v and target %d, want what was given, or the usual 12 attempts and no target",
				w.ID, w.RetrySchedule, w.DeliveryTargetMs)
		}
	}
	bot := field(must(t, env, "chatbot", "create", "--workspace", ws, "Front page"), "cb_")
	if text := must(t, env, "chatbot", "list", "--workspace", ws); !strings.Contains(text, bot) {
		t.Errorf("chatbot list = %s, want %s", text, bot)
	}
	made := must(t, env, "key", "create", "--workspace", ws, "--name", "site", "--scopes", "leads:write,leads:read",
		"--expires", "720h")
	key, secret := field(made, "key_"), field(made, "sk-workspace_")
	if _, ok := tenant.HashSecret(secret); !ok || strings.Count(made, secret) != 1 {
		t.Errorf("key create = %s, want a secret once", made)
	}
	rotated := must(t, env, "key", "rotate", "--workspace", ws, "--key", key, "--overlap", "1h")
	next := field(rotated, "key_")
	if next == key || field(rotated, "sk-workspace_") == secret {
		t.Errorf("key rotate = %s, want another key", rotated)
	}
	for given, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "1d12h": 36 * time.Hour,
		"1m": time.Minute} {
		var k struct {
			ExpiresAt time.Time
			Scopes    []string
		}
		text := must(t, env, "key", "create", "--workspace", field(must(t, env, "workspace", "create", "Other"), "ws_"),
			"--name=x", "--expires", given, "--json")
		if err := json.Unmarshal([]byte(text), &k); err != nil {
			t.Fatal(err)
		}
		if off := time.Until(k.ExpiresAt) - want; off > 0 || off < -time.Minute ||
			len(k.Scopes) != len(tenant.DefaultScopes()) {
			t.Errorf("key create --expires %s = %s, want it to live for %s with the default scopes", given, text, want)
		}
	}
	for range 2 { // again it changes nothing
		must(t, env, "key", "revoke", "--workspace", ws, "--key", key)
	}
	var keys []struct {
		ID        string
		Scopes    []string
		ExpiresAt *string
		RevokedAt *string
	}
	if err := json.Unmarshal([]byte(must(t, env, "key", "list", "--workspace", ws, "--json")), &keys); err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || keys[0].ID != next || keys[0].RevokedAt != nil || keys[1].ID != key || keys[1].RevokedAt == nil {
		t.Errorf("key list = %+v, want %s and the revoked %s", keys, next, key)
	}
	if text := must(t, env, "key", "list", "--workspace", ws); strings.Contains(text, secret) {
		t.Errorf("key list tells the secret: %s", text)
	}
}

// field returns the first word of text that begins with prefix.
func field(text, prefix string) string {
	for _, word := range strings.Fields(text) {
		if strings.HasPrefix(word, prefix) {
			return word
		}
	}
	return ""
}

// A command does not keep a person waiting for a database that is not there, and says which it is.
func TestCommandsWithoutADatabase(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"workspace", "list"}, {"migrate"}} {
		begun := time.Now()
		_, err := command(map[string]string{"DATABASE_URL": "postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable"}, args...)
		if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1 not reachable for 5s") || strings.Contains(err.Error(),
			"hunter2") {
			t.Errorf("run(%q) = %v, want it to tell what is not reachable", args, err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("run(%q) took %s, want about 5 s", args, took)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	if text := must(t, nil, "--help"); !strings.Contains(text, "gateway serve --help") {
		t.Errorf("gateway --help = %s, want it to say where serve's settings are", text)
	}
	if text := must(t, nil, "serve", "--help"); !strings.Contains(text, "LEADGATE_ADMIN_TOKEN") {
		t.Errorf("gateway serve --help = %s, want the settings", text)
	}
	if text := must(t, nil, "--version"); text != version.String()+"\n" {
		t.Errorf("gateway --version = %q, want %q", text, version.String())
	}
	for line, want := range map[string]string{
		"bogus":                   "configuration:\nno such command bogus; see gateway --help",
		"--log-level debug bogus": "configuration:\nno such command bogus; see gateway --help",
		"key bogus":               "configuration:\nno such command key bogus; see gateway key --help",
	} {
		t.Run(line, func(t *testing.T) {
			_, err := command(nil, strings.Fields(line)...)
			if err == nil || err.Error() != want {
				t.Errorf("gateway %s = %v, want %s", line, err, want)
			}
		})
	}
	if _, err := command(nil, "serve", "bogus"); err == nil || !strings.Contains(err.Error(),
		"unexpected argument bogus") {
		t.Errorf("gateway serve bogus = %v, want the argument named", err)
	}
}

func TestCommandsTellWhatIsWrong(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": pgtest.URL(t)}
	ws := field(must(t, env, "workspace", "create", "Acme"), "ws_")
	const nobody = "ws_00000000000000000000000000"
	tests := []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"workspace", "create"}, 2, []string{"<name>"}},
		{[]string{"chatbot", "create"}, 2, []string{"<name>", "--workspace: required"}},
		{[]string{"workspace", "create", " ", "--rate=-1", "--statuses=a,a", "--retry-schedule=5s", "--delivery-target=1ms"}, 2,
			[]string{"<name>: Must be 1 to 100", "--rate: Must be a whole number between", "--statuses: Must be listed once",
				"--retry-schedule: Must be 0", "--delivery-target: Must be between 100"}},
		{[]string{"key", "create", "--workspace=acme"}, 2, []string{"--workspace: must be the id of a workspace",
			"--name: required"}},
		{[]string{"key", "create", "--workspace", ws, "--name=x", "--scopes=root", "--expires=-1h"}, 2,
			[]string{"--scopes: Must be one of", "--expires: Must be at least one minute in the future"}},
		{[]string{"key", "rotate", "--workspace", ws, "--key=key_00000000000000000000000000", "--overlap=721h"}, 2,
			[]string{"--overlap: must be from 0s to 720h"}},
		{[]string{"key", "create", "--workspace", ws, "--name=x", "--scopes", "", "--expires=0s"}, 2,
			[]string{"--scopes: Must name at least one scope", "--expires: Must be at least one minute"}},
		{[]string{"key", "create", "--workspace", ws, "--name=x", "--expires=1month"}, 2,
			[]string{"--expires: must be a duration such as 90d"}},
		{[]string{"key", "create", "--workspace", ws, "--name=x", "--expires=-90d"}, 2,
			[]string{"--expires: must be a duration such as 90d"}},
		{[]string{"key", "revoke", "--workspace", ws, "--key=key_00000000000000000000000000"}, 1,
			[]string{"API key not found"}},
		{[]string{"chatbot", "list", "--workspace", nobody}, 1, []string{"Workspace not found"}},
		{[]string{"chatbot", "create", "--workspace", nobody, "x"}, 1, []string{"Workspace not found"}},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			text, err := command(env, tt.args...)
			if code := config.Exit(io.Discard, "", err); code != tt.code || text != "" {
				t.Errorf("run(%q) = %q, %v: exit %d, want %d and no output", tt.args, text, err, code, tt.code)
				return
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("run(%q) = %v, want %q in it", tt.args, err, want)
				}
			}
		})
	}
}

// The operator's link opens the console of the workspace, and no key is needed for it.
func TestConsoleLinkByCommandLine(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	env := map[string]string{"DATABASE_URL": url, "LEADGATE_URL": "https://leads.example.com/"}
	ws := field(must(t, env, "workspace", "create", "Acme"), "ws_")
	text := must(t, env, "console-link", "--workspace", ws, "--name", "Ada", "--expires=12h", "--link-expires=1h")
	link, ok := strings.CutPrefix(field(text, "https://"), "https://leads.example.com/console/open#")
	if !ok {
		t.Fatalf("console-link = %s, want a link to the console there", text)
	}
	db, err := pg.Open(url, pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, s, err := tenants.Service{DB: db, Now: time.Now}.OpenSessionLink(t.Context(), link)
	if err != nil || id.Workspace.Format(s.WorkspaceID) != ws || s.Name != "Ada" || len(s.Scopes) != len(tenant.Scopes()) ||
		s.ExpiresAt.Sub(s.CreatedAt) != 12*time.Hour {
		t.Errorf("the link opens %+v, %v, want a session of 12 hours with all scopes", s, err)
	}
	var shown struct{ URL string }
	if err := json.Unmarshal([]byte(must(t, env, "console-link", "--workspace", ws, "--json", "--scopes=leads:read")),
		&shown); err != nil || !strings.Contains(shown.URL, "#cl_") {
		t.Errorf("console-link --json = %+v, %v, want its url", shown, err)
	}
	for want, wrong := range map[string][]string{"--expires": {"--expires=13h"}, "--link-expires": {"--link-expires=2h"},
		"--scopes": {"--scopes=leads:rule"}, "--url": {"--url=leads.example.com"},
		"Workspace not found": {"--workspace", id.Workspace.Format(id.New())}} {
		if _, err := command(env, append([]string{"console-link", "--workspace", ws}, wrong...)...); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("console-link %v = %v, want an error about %s", wrong, err, want)
		}
	}
}
