package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// termRow is a row of the last table of CONTRIBUTING.md: a term of the field, and the file in which it is decided.
var termRow = regexp.MustCompile("^\\| ([^|`]+) \\| `([^`]+)` \\|")

// TestTermsLeadToTheirFile holds the table to the code: a newcomer who searches for a term of the field, in any case
// and with spaces, hyphens or none between its words, finds it in the file that the table names.
func TestTermsLeadToTheirFile(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "## Where a word leads")
	if !ok {
		t.Fatal("CONTRIBUTING.md has no table of terms")
	}
	rows := 0
	for line := range strings.Lines(table) {
		m := termRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		rows++
		for term := range strings.SplitSeq(m[1], ",") {
			words := strings.Fields(regexp.QuoteMeta(strings.TrimSpace(term)))
			t.Run(strings.Join(words, "_"), func(t *testing.T) {
				b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m[2])))
				if err != nil {
					t.Fatal(err)
				}
				if !regexp.MustCompile("(?i)" + strings.Join(words, `[\s/_-]*`)).Match(b) {
					t.Errorf("%s does not have the term in it: say it there, or say in CONTRIBUTING.md where it went", m[2])
				}
			})
		}
	}
	if rows < 40 {
		t.Errorf("the table has %d terms, want at least 40", rows)
	}
}

// retiredWords had a second meaning, or none to a newcomer; the glossary of ARCHITECTURE.md has the words that took
// their place.
var retiredWords = regexp.MustCompile(`(?i)tells whether|\boctets?\b|\buntold\b|letGo|giveBack`)

// TestRetiredWords keeps them out of comments and code; the media type octet-stream keeps its name.
func TestRetiredWords(t *testing.T) {
	for _, s := range sources(t) {
		if s.pkg == "shared/archtest" {
			continue
		}
		b, err := os.ReadFile(filepath.Join("..", "..", s.path))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), "octet-stream", "")
		for n, line := range strings.Split(text, "\n") {
			if w := retiredWords.FindString(line); w != "" {
				t.Errorf("%s:%d: %q: use the word of the glossary", s.path, n+1, w)
			}
		}
	}
}
