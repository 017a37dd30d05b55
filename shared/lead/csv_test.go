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
		"=1+1": "'=1+1", "+1-555-0100": "'+1-555-0100", "+1 (555)": "'+1 (555)", "-1": "-1",
		"+1 555 0100": "+1 555 0100", "+15550100;-2": "+15550100;-2", "'+1": "''+1", "+": "'+", "- ": "'- ", "+1+2": "'+1+2", "@sum": "'@sum", "\t=1": "'\t'=1", "\r=1": "'\r'=1",
		"'=1": "''=1", "''@": "'''@", "＝1": "'＝1", "＠a": "'＠a",
		"x;=1+1;y": "x;'=1+1;y", "+1;+2=3": "+1;'+2=3", "a|=1": "a|'=1", "a,=1": "a,=1", "a;b": "a;b", "a; =1": "a; =1", "x\n=1": "x\n'=1", "x;'@": "x;''@",
	} {
		t.Run(text, func(t *testing.T) {
			if got := lead.SafeCell(text, ','); got != want {
				t.Errorf("SafeCell(%q) = %q, want %q", text, got, want)
			}
		})
	}
}

// A file from before phone numbers had no apostrophe is read as it was meant; a file that no comma delimits may be read
// with one.
func TestSafeCellOfOtherFiles(t *testing.T) {
	t.Parallel()
	if got := lead.UnsafeCell("'+15550100", ','); got != "+15550100" {
		t.Errorf("UnsafeCell of a phone = %q, want it without the apostrophe", got)
	}
	if got := lead.SafeCell("a,=1", ';'); got != "a,'=1" || lead.UnsafeCell(got, ';') != "a,=1" {
		t.Errorf("SafeCell(%q, ';') = %q, want no formula after the comma", "a,=1", got)
	}
}

func FuzzSafeCell(f *testing.F) {
	for _, seed := range []string{"", "=", "'=", "''", "+1", "a", "'\t", "\r", "a;=1", ";'=", "＝"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for delimiter, separators := range map[byte]string{',': ";|\t\r\n", ';': ";|\t\r\n,"} {
			cell := lead.SafeCell(text, delimiter)
			if got := lead.UnsafeCell(cell, delimiter); got != text {
				t.Errorf("UnsafeCell(SafeCell(%q)) = %q, want it as it was", text, got)
			}
			for _, part := range strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
				number := strings.Trim(part[1:], "0123456789 ") == "" && strings.ContainsAny(part, "0123456789")
				if strings.ContainsAny(part[:1], "=@") || strings.ContainsAny(part[:1], "+-") && !number ||
					strings.HasPrefix(part, "＝") {
					t.Errorf("SafeCell(%q) = %q, in which %q begins a formula", text, cell, part)
				}
			}
		}
	})
}
