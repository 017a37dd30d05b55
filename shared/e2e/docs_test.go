package e2e

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The examples of /docs are run as a reader would: copied from the page that a running gateway serves, with a key and
// ids put in, and nothing else.

// example is a block of code on the page that can be run.
type example struct{ name, lang, text string }

var (
	runnable = regexp.MustCompile(`(?s)<pre data-run="([a-z-]+)" data-lang="([a-z]+)"><code>(.*?)</code></pre>`)
	tag      = regexp.MustCompile(`</?i>`)
)

func readExamples(t *testing.T, page []byte) (all []example) {
	t.Helper()
	for _, m := range runnable.FindAllStringSubmatch(string(page), -1) {
		all = append(all, example{m[1], m[2], html.UnescapeString(tag.ReplaceAllString(m[3], ""))})
	}
	return all
}

// prints is what an example must show, besides ending well.
var prints = map[string]string{
	"create": "lead_", "once": "lead_", "batch": "lead_", "list": "john.doe@example.com", "update": "contacted",
	"import": "imp_", "webhook": "whsec_",
	"form-key": `"key":"pk-workspace_`, "submissions": `"data":[`, "export": "", "erase": `"erased":{"leads":1,`, "test-key": `"secret":"sk-test_`,
	"console": `/console/open#cl_`,
	"speed":   `"endpoints":`,
}

// langs say how a language's examples are run.
var langs = map[string]struct {
	tool, file string
	args       []string
}{
	"curl": {"sh", "example.sh", []string{"-e"}}, "javascript": {"node", "example.mjs", nil},
	"python": {"python3", "example.py", nil}, "go": {"go", "example.go", []string{"run"}},
}

func TestDocsExamplesRun(t *testing.T) {
	t.Parallel()
	sys := mustSystem(t)
	examples := readExamples(t, request(t, "GET", sys.URL+"/docs", "", "").body)
	if len(examples) < 4*7 {
		t.Fatalf("/docs has %d runnable examples, want those of seven things in four languages", len(examples))
	}
	for lang := range langs {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			tool := mustTool(t, langs[lang].tool)
			if lang == "python" && exec.Command(tool, "-c", "import requests").Run() != nil {
				t.Skip("the Python package requests is not installed")
			}
			c := mustTenant(t)
			c.key = c.mustFullKey(t)
			lead := ""
			for _, e := range examples {
				want, known := prints[e.name]
				if !known {
					t.Fatalf("it is not written what example %q prints", e.name)
				}
				if e.lang != lang {
					continue
				}
				if e.name == "update" || e.name == "erase" { // of the lead that the first example made
					lead = c.johnDoe(t)
				}
				out, err := c.runExample(t, tool, e, lead)
				if e.name == "import" && lang != "curl" && lang != "go" {
					want = "done 2 0" // these wait for its end
				}
				if err != nil || !strings.Contains(out, want) {
					t.Errorf("example %s in %s = %v, want %q and no error:\n%s\n--- it is\n%s", e.name, lang, err, want, out, e.text)
				}
			}
			if got := c.call(t, "GET", "/api/v1/leads?email=jane.roe@example.com", ""); strings.Count(string(got.body),
				`"jane.roe@example.com"`) != 1 {
				t.Errorf("leads of the example with a key = %v, want one", got)
			}
		})
	}
}

// mustFullKey makes a key with every scope.
func (c *tenant) mustFullKey(t *testing.T) string {
	t.Helper()
	got := c.admin(t, "POST", "/workspaces/"+c.workspace+"/keys",
		`{"name":"docs","scopes":["leads:read","leads:write","webhooks:manage","keys:manage","workspace:manage"]}`)
	var made struct{ Secret string }
	got.data(t, &made)
	if got.status != http.StatusCreated || made.Secret == "" {
		t.Fatalf("POST keys = %v, want a key with every scope", got)
	}
	return made.Secret
}

// runExample runs an example in a directory of its own, which has the file it sends.
func (c *tenant) runExample(t *testing.T, tool string, e example, lead string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer("sk-workspace_your_api_key", c.key, "cb_your_chatbot_id", c.chatbot, "lead_your_lead_id",
		lead).Replace(e.text)
	if strings.Contains(text, "your-domain.com") || !strings.Contains(text, c.URL) {
		t.Errorf("example %s in %s does not have the address it was asked at", e.name, e.lang)
	}
	return runText(t, dir, tool, e.lang, text)
}

// runText runs text in dir.
func runText(t *testing.T, dir, tool, lang, text string) (string, error) {
	t.Helper()
	l := langs[lang]
	for name, content := range map[string]string{l.file: text,
		"leads.csv": fmt.Sprintf("email,name,company\n%[1]s1@example.com,One,Tech Corp\n%[1]s2@example.com,Two,Tech Corp\n",
			lang)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(tool, append(slices.Clone(l.args), l.file)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GO111MODULE=off", "PYTHONDONTWRITEBYTECODE=1")
	if _, err := exec.LookPath("uuidgen"); err != nil { // readers have one; where tests run it may be missing
		if err := os.WriteFile(filepath.Join(dir, "uuidgen"), []byte("#!/bin/sh\ncat /proc/sys/kernel/random/uuid\n"),
			0o700); err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The samples of openapi.json are the page's own, so that running these proves both.
func TestOpenAPISamplesAreTheDocs(t *testing.T) {
	t.Parallel()
	sys := mustSystem(t)
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string
			Samples     []struct{ Lang, Source string } `json:"x-codeSamples"`
		}
	}
	if err := json.Unmarshal(request(t, "GET", sys.URL+"/openapi.json", "", "").body, &document); err != nil {
		t.Fatal(err)
	}
	onPage := map[string]bool{}
	for _, e := range readExamples(t, request(t, "GET", sys.URL+"/docs", "", "").body) {
		onPage[e.text] = true
	}
	n := 0
	for _, methods := range document.Paths {
		for _, o := range methods {
			for _, s := range o.Samples {
				n++
				if !onPage[strings.ReplaceAll(s.Source, "https://your-domain.com", sys.URL)] {
					t.Errorf("the %s sample of %s is not on /docs, where it would be run:\n%s", s.Lang, o.OperationID, s.Source)
				}
			}
		}
	}
	if n < 4*7 {
		t.Errorf("openapi.json has %d samples, want those of seven operations in four languages", n)
	}
}
