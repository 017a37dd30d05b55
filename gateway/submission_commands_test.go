package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadgate/shared/client"
	"leadgate/shared/pg/pgtest"
	"leadgate/shared/rdb/redistest"
)

// formOf makes a form of a workspace and returns its key's id, and a function that submits it.
func formOf(t *testing.T, g *gateway, workspace string) (key string, submit func(body string)) {
	t.Helper()
	var made struct{ ID, Key string }
	text := must(t, g.env, "key", "create", "--workspace", workspace, "--name=form", "--kind=publishable",
		"--origin=https://www.example.com", "--json")
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	return made.ID, func(body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.api+"/f/"+made.Key, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", "https://www.example.com")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if answer, _ := io.ReadAll(res.Body); res.StatusCode >= 300 {
			t.Fatalf("form = %d %s", res.StatusCode, answer)
		}
	}
}

const heldFields = `"message":"Do you ship?","_gotcha":"https://pills.example.net/"`

// What is held is found, looked at and decided about, with the flags of the list.
func TestSubmissionCommands(t *testing.T) {
	t.Parallel()
	g := start(t, environment(pgtest.URL(t), redistest.Start(t).URL()))
	ws, secret := newTenant(t, g.env)
	form, submit := formOf(t, g, ws)
	submit(`{"email":"ann@example.com","name":"Ann","message":"A price, please"}`)
	submit(`{"email":"bob@example.com","name":"Bob\u001b[2J\u202e",` + heldFields + `}`)
	submit(`{"email":"cy@example.com","name":"Cy",` + heldFields + `}`)
	env := map[string]string{"LEADGATE_URL": g.api, "LEADGATE_KEY": secret} // and no database

	listed := func(args ...string) (all []client.Submission) {
		t.Helper()
		text := must(t, env, append([]string{"submission", "list", "--json"}, args...)...)
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			t.Fatalf("list = %s: %v", text, err)
		}
		return all
	}
	for flags, want := range map[string]string{
		"": "cy bob ann", "--verdict=held": "cy bob", "--verdict=clean,held --limit=2": "cy bob", "--text=price": "ann",
		"--outcome=new --form=" + form: "ann", "--from=2020-01-01 --until=2020-01-31": "",
	} {
		var got []string
		for _, s := range listed(strings.Fields(flags)...) {
			got = append(got, strings.TrimSuffix(*s.Email, "@example.com"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("list %s = %v, want %s", flags, got, want)
		}
	}
	held := listed("--verdict=held")
	text := must(t, env, "submission", "list", "--verdict=held")
	if lines := strings.Split(text, "\n"); len(lines) != 4 || !strings.HasPrefix(lines[0], "ID") ||
		!strings.Contains(lines[1], held[0].ID) || strings.ContainsAny(text, "\x1b\u202e") {
		t.Errorf("list = %q, want a table of two, and nothing that a terminal obeys", text)
	}
	text = must(t, env, "submission", "show", held[1].ID)
	for _, want := range []string{held[1].ID, form, "held, ", "honeypot", "bob@example.com", `"message": "Do you ship?"`} {
		if !strings.Contains(text, want) {
			t.Errorf("show = %s, want %q in it", text, want)
		}
	}
	if strings.ContainsAny(text, "\x1b\u202e") {
		t.Errorf("show = %q, want nothing that a terminal obeys", text)
	}
	for range 2 { // again it changes nothing
		text = must(t, env, "submission", "release", held[0].ID, held[1].ID)
		if strings.Count(text, ": new, lead lead_") != 2 {
			t.Errorf("release = %s, want two new leads", text)
		}
	}
	if text = must(t, env, "submission", "spam", held[0].ID, "--json"); !strings.Contains(text, `"verdict": "spam"`) {
		t.Errorf("spam = %s, want the submission as spam", text)
	}
	if got := listed("--verdict=spam"); len(got) != 1 || got[0].ID != held[0].ID || got[0].DecidedAt == nil {
		t.Errorf("spam = %+v, want what was marked", got)
	}
	text, err := command(env, "submission", "release", held[0].ID, held[1].ID, "sub_none")
	if err == nil || !strings.Contains(err.Error(), "2 of 3 submissions were not released") ||
		!strings.Contains(err.Error(), held[0].ID+": ") || !strings.Contains(text, "Released "+held[1].ID) {
		t.Errorf("release of spam that has a lead, and of nothing = %s, %v; want the one between released", text, err)
	}
	if text = must(t, env, "submission", "export", "--format=ndjson", "--verdict=spam,released"); strings.Count(text, "\n") != 2 ||
		!strings.Contains(text, held[0].ID) {
		t.Errorf("export = %s, want what was decided about", text)
	}
	file := filepath.Join(t.TempDir(), "all.csv")
	for range 2 { // a file that is there stays
		_, err = command(env, "submission", "export", "--out", file)
	}
	if rows, _ := os.ReadFile(file); err == nil || !strings.Contains(err.Error(), "--force") ||
		strings.Count(string(rows), "sub_") != 3 {
		t.Errorf("export to a file = %s; again %v, want three, and --force named", rows, err)
	}
	if _, err := command(env, "submission", "list", "--limit=0", "--url=ftp://x"); err == nil ||
		!strings.Contains(err.Error(), "--limit") || !strings.Contains(err.Error(), "--url") {
		t.Errorf("list --limit=0 --url=ftp://x = %v, want both mistakes", err)
	}
}

// A list follows pages, also empty ones, until it has what was asked for, and says when there may be more.
func TestSubmissionListFollowsPages(t *testing.T) {
	t.Parallel()
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("limit")+q.Get("cursor"))
		one := `{"id":"sub_` + fmt.Sprint(len(asked)) + `"}`
		if len(asked) == 2 {
			one = ""
		}
		fmt.Fprintf(w, `{"success":true,"data":[%s],"nextCursor":"c%d"}`, one, len(asked))
	}))
	t.Cleanup(s.Close)
	l := listSubmissions{access: access{URL: s.URL, Key: "sk"}, Limit: 3}
	var out, says strings.Builder
	if err := l.run(t.Context(), hurried(), &out, &says); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, " "); got != "3 2c1 2c2 1c3" || strings.Count(out.String(), "sub_") != 3 {
		t.Errorf("asked for %s, and listed %s; want three of four pages", got, out.String())
	}
	if !strings.Contains(says.String(), "more than these 3") {
		t.Errorf("it says %q, want that there may be more", says.String())
	}
}
