package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
)

func TestLeadExport(t *testing.T) {
	t.Parallel()
	env := environment(pgtest.URL(t), redistest.Start(t).URL())
	g := start(t, env)
	_, secret := newTenant(t, env)
	for _, body := range []string{`{"email":"a@example.com","name":"Ada \"A\"","metadata":{"k":"v",` + "\n" + `"n":1}}`,
		`{"email":"b@example.com","source":"web"}`} {
		if status, text := g.send(g.api+"/api/v1/leads", secret, body, nil); status != 201 {
			t.Fatalf("POST = %d %s", status, text)
		}
	}
	client := map[string]string{"LEADGATE_URL": g.api, "LEADGATE_KEY": secret} // and no database
	file := filepath.Join(t.TempDir(), "leads.csv")
	must(t, client, "lead", "export", "--out", file)
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(text), "id,name,email,") || !strings.Contains(string(text),
		"a@example.com") || !strings.Contains(string(text), "b@example.com") {
		t.Errorf("the file has %s, %v, want both leads", text, err)
	}
	for flags, want := range map[string]string{"--source=web": "b@example.com", "--metadata=k=v": "a@example.com",
		"--q=ada": "a@example.com", "--email=B@example.com": "b@example.com"} {
		got := must(t, client, "lead", "export", "--format=ndjson", flags)
		if strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
			t.Errorf("%s = %s, want %s alone", flags, got, want)
		}
	}
	if _, err := command(client, "lead", "export", "--created-from=yesterday"); err == nil ||
		!strings.Contains(err.Error(), "createdFrom") {
		t.Errorf("a wrong time = %v, want it told", err)
	}
	if _, err := command(map[string]string{"LEADGATE_URL": "ftp://x"}, "lead", "export"); err == nil ||
		!strings.Contains(err.Error(), "--url") || !strings.Contains(err.Error(), "--key") {
		t.Errorf("without a key = %v, want both mistakes", err)
	}
}

// An export that breaks off leaves no file, and is an error.
func TestLeadExportThatBreaksOff(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("id\nlead_1\n"))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(s.Close)
	dir := t.TempDir()
	_, err := command(map[string]string{"LEADGATE_URL": s.URL, "LEADGATE_KEY": "sk"}, "lead", "export", "--out",
		filepath.Join(dir, "leads.csv"))
	if err == nil || !strings.Contains(err.Error(), "broke off after 1 leads") {
		t.Errorf("export = %v, want that it broke off", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("there is %v, want no file", left)
	}
}

// A file that is there may be the one that leads were imported from.
func TestLeadExportKeepsAFileThatIsThere(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("id\nlead_1\n")) }))
	t.Cleanup(s.Close)
	env := map[string]string{"LEADGATE_URL": s.URL, "LEADGATE_KEY": "sk"}
	file := filepath.Join(t.TempDir(), "leads.csv")
	if err := os.WriteFile(file, []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := command(env, "lead", "export", "--out", file)
	if text, _ := os.ReadFile(file); err == nil || !strings.Contains(err.Error(), "--force") || string(text) != "mine\n" {
		t.Errorf("export onto a file = %v, and the file has %q; want it kept, and --force named", err, text)
	}
	must(t, env, "lead", "export", "--force", "--out", file)
	if text, _ := os.ReadFile(file); string(text) != "id\nlead_1\n" {
		t.Errorf("with --force the file has %q, want the export", text)
	}
}
