package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadgate/shared/webhook"
)

// runImport runs the import command as a customer does: with a key and no stores.
func (c *tenant) runImport(t *testing.T, dir string, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), c.Program("gateway"), append([]string{"lead", "import", "--url",
		c.URL}, args...)...)
	cmd.Dir, cmd.Env = dir, []string{"LEADGATE_KEY=" + c.key}
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return both.String(), cmd.ProcessState.ExitCode()
}

// A file is imported with the command, its report is kept, and webhooks are told.
func TestImportAFile(t *testing.T) {
	t.Parallel()
	c := mustTenant(t)
	r := c.mustReceive(t, webhook.LeadCreated)
	dir := t.TempDir()
	var file strings.Builder
	file.WriteString("Work Email,First Name,Last Name,Plan,Row\n")
	const n = 5000
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&file, "p%d@example.com,Ann,Lee,=pro,%d\n", i, i)
	}
	good := file.String()
	file.WriteString("nobody,,,,\nP1@example.com,,,,\n")
	for name, text := range map[string]string{"good.csv": good, "bad.csv": file.String(), "none.csv": "Name,City\nAnn,Oslo\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, code := c.runImport(t, dir, "none.csv"); code != 1 || !strings.Contains(out,
		"Must be a column of the file, or be assigned to one with mapping: row 1 was read as the header, and has Name, City") {
		t.Errorf("without an email = %d %s, want why not", code, out)
	}
	if out, code := c.runImport(t, dir, "good.csv", "--dry-run"); code != 0 || !strings.Contains(out, `"name": "Ann Lee"`) ||
		!strings.Contains(out, `"charset": "utf-8"`) {
		t.Errorf("dry run = %d %s, want the first rows", code, out)
	}
	mapping := `{"Work Email":"email"}`
	out, code := c.runImport(t, dir, "bad.csv", "--mapping", mapping, "--chatbot", c.chatbot, "--errors", "report.csv")
	if want := fmt.Sprintf("is done: %d rows, %d created, 0 updated, 1 duplicates, 1 rejected", n+2, n); code != 1 ||
		!strings.Contains(out, want) || !strings.Contains(out, fmt.Sprintf("1 of %d rows were rejected", n+2)) {
		t.Errorf("import = %d %s, want exit code 1 and %q", code, out, want)
	}
	report, err := os.ReadFile(filepath.Join(dir, "report.csv"))
	lines := strings.Split(string(report), "\n")
	if err != nil || len(lines) != 4 || !strings.HasPrefix(lines[1], "5001,VALIDATION_ERROR,Work Email,nobody,") ||
		!strings.HasPrefix(lines[2], "5002,DUPLICATE_EMAIL,email,P1@example.com,") {
		t.Errorf("report = %q, %v, want the two rows", report, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if !r.WaitFor(ctx, n) {
		_, came := r.Count()
		t.Errorf("%d webhooks came, want %d", came, n)
	}
	out, code = c.runImport(t, dir, "good.csv", "--mapping", mapping, "--on-duplicate", "return", "--no-events")
	if want := fmt.Sprintf("%d rows, 0 created, 0 updated, %d duplicates, 0 rejected", n, n); code != 0 ||
		!strings.Contains(out, want) || strings.Contains(out, "left out") {
		t.Errorf("import again = %d %s, want exit code 0 and %q", code, out, want)
	}
}
