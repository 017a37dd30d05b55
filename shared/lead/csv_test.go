package lead_test

import (
	"strings"
	"testing"

	"leadgate/shared/lead"
)

func TestSafeCell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "a": "a", "a=1": "a=1", "'": "'", "'a": "'a", " =1": " =1",
		"=1+1": "'=1+1", "+1-555-0100": "'+1-555-0100", "-1": "'-1", "@sum": "'@sum", "\t=1": "'\t=1", "\r=1": "'\r=1",
		"'=1": "''=1", "''@": "'''@",
	} {
		if got := lead.SafeCell(text); got != want {
			t.Errorf("SafeCell(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzSafeCell(f *testing.F) {
	for _, seed := range []string{"", "=", "'=", "''", "+1", "a", "'\t", "\r"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cell := lead.SafeCell(text)
		if got := lead.UnsafeCell(cell); got != text {
			t.Errorf("UnsafeCell(SafeCell(%q)) = %q, want it as it was", text, got)
		}
		if cell != "" && strings.Contains("=+-@\t\r", cell[:1]) {
			t.Errorf("SafeCell(%q) = %q, which begins a formula", text, cell)
		}
	})
}
