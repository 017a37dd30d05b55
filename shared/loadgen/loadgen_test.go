package loadgen_test

import (
	"testing"

	"leadgate/shared/lead"
	"leadgate/shared/loadgen"
)

// What chaos and e2e call one email must be one email to leadgate, in as many spellings as they say.
func TestSpellings(t *testing.T) {
	t.Parallel()
	const want = "jürgen.a7@xn--bcher-kva.example"
	seen := map[string]bool{}
	for k := range loadgen.Spellings {
		typed := loadgen.Spelling("a7", k)
		if _, key, ok := lead.ParseEmail(typed); !ok || key != want {
			t.Errorf("ParseEmail(%q) = key %q, %t, want %q", typed, key, ok, want)
		}
		seen[typed] = true
	}
	if len(seen) != loadgen.Spellings {
		t.Errorf("%d different spellings, want %d", len(seen), loadgen.Spellings)
	}
}
