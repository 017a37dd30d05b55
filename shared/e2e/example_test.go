package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The examples in testdata are the contract's own text. Only host, key and chatbot are replaced.

// mustExample writes an example for the tenant and returns where.
func (c *tenant) mustExample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	replaced := strings.NewReplacer("https://your-domain.com", c.URL, "sk-workspace_your_api_key", c.key,
		"cb_1234567890abcdef", c.chatbot).Replace(string(text))
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(replaced), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustTool returns a program's path, or skips the test where it is not installed.
func mustTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// johnDoe is the id of the lead that the examples make.
func (c *tenant) johnDoe(t *testing.T) string {
	t.Helper()
	again := c.call(t, "POST", "/api/v1/leads", `{"email":"john.doe@example.com"}`)
	if again.status != 409 {
		t.Fatalf("posting the example's email = %v, want 409: the example made no lead", again)
	}
	return again.id(t)
}

func TestCurlExample(t *testing.T) {
	t.Parallel()
	mustTool(t, "curl")
	c := mustTenant(t)
	path := c.mustExample(t, "create_lead.sh")
	run := func() answer {
		out, err := exec.Command("sh", path).Output()
		if err != nil {
			t.Fatalf("sh create_lead.sh = %v", err)
		}
		return answer{body: out}
	}
	first := run()
	var lead struct {
		ID, Email, Phone, Status, CreatedAt, WorkspaceID, ChatbotID string
		Metadata                                                    map[string]string
	}
	first.data(t, &lead)
	if !strings.HasPrefix(string(first.body), `{"success":true,`) || !strings.HasPrefix(lead.ID, "lead_") ||
		lead.Email != "john.doe@example.com" ||
		lead.Status != "new" || lead.WorkspaceID != c.workspace || lead.ChatbotID != c.chatbot ||
		lead.Metadata["company"] != "Tech Corp" {
		t.Errorf("the example answers %v, want the lead it posts", first)
	}
	want := `{"success":false,"error":"Email already exists","code":"DUPLICATE_EMAIL","details":{"email":"john.doe@example.com","existingLeadId":"` + lead.ID +
		`","message":"A lead with this email already exists in your workspace"}`
	if got := string(run().body); !strings.HasPrefix(got, want) {
		t.Errorf("the example answers the second time %s, want %s", got, want)
	}
}

func TestJavaScriptExample(t *testing.T) {
	t.Parallel()
	node := mustTool(t, "node")
	if err := exec.Command(node, "-e", "fetch").Run(); err != nil {
		t.Skip("this node is older than 18 and has no fetch")
	}
	c := mustTenant(t)
	path := c.mustExample(t, "create_lead.js")
	if out, err := exec.Command(node, path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("node create_lead.js = %v, %s, want no error", err, out)
	}
	c.johnDoe(t)
	out, err := exec.Command(node, path).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("HTTP error! status: 409")) {
		t.Errorf("node create_lead.js the second time = %v, %s, want the example's error for 409", err, out)
	}
}

func TestPythonExample(t *testing.T) {
	t.Parallel()
	python := mustTool(t, "python3")
	t.Run("requests", func(t *testing.T) {
		t.Parallel()
		if err := exec.Command(python, "-c", "import requests").Run(); err != nil {
			t.Skip("the Python package requests is not installed")
		}
		runPython(t, python)
	})
	t.Run("urllib", func(t *testing.T) { // the same text, with a requests made of the standard library
		t.Parallel()
		runPython(t, python, "PYTHONPATH=testdata/urllib", "PYTHONDONTWRITEBYTECODE=1")
	})
}

func runPython(t *testing.T, python string, env ...string) {
	c := mustTenant(t)
	path := c.mustExample(t, "create_lead.py")
	run := func() (string, error) {
		cmd := exec.Command(python, path)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	got, err := run()
	if diff := cmp.Diff("Lead created: "+c.johnDoe(t)+"\n", got); diff != "" || err != nil {
		t.Errorf("python3 create_lead.py = %v (-want +got):\n%s", err, diff)
	}
	if got, err := run(); err == nil || !strings.Contains(got, "Error creating lead: 409 Client Error") {
		t.Errorf("python3 create_lead.py the second time = %v, %s, want the example's error for 409", err, got)
	}
}
