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
		"=1+1": "'=1+1", "+1-555-0100": "'+1-555-0100", "-1": "'-1", "@sum": "'@sum", "\t=1": "'\t'=1", "\r=1": "'\r'=1",
		"'=1": "''=1", "''@": "'''@", "＝1": "'＝1", "＠a": "'＠a",
		"x;=1+1;y": "x;'=1+1;y", "+1;+2": "'+1;'+2", "a;b": "a;b", "a; =1": "a; =1", "x\n=1": "x\n'=1", "x;'@": "x;''@",
	} {
		t.Run(text, func(t *testing.T) {
			if got := lead.SafeCell(text); got != want {
				t.Errorf("SafeCell(%q) = %q, want %q", text, got, want)
			}
		})
	}
}

func FuzzSafeCell(f *testing.F) {
	for _, seed := range []string{"", "=", "'=", "''", "+1", "a", "'\t", "\r", "a;=1", ";'=", "＝"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cell := lead.SafeCell(text)
		if got := lead.UnsafeCell(cell); got != text {
			t.Errorf("UnsafeCell(SafeCell(%q)) = %q, want it as it was", text, got)
		}
		for _, part := range strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }) {
			if strings.ContainsAny(part[:1], "=+-@") || strings.HasPrefix(part, "＝") {
				t.Errorf("SafeCell(%q) = %q, in which %q begins a formula", text, cell, part)
			}
		}
	})
}
