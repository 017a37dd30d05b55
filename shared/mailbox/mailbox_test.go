package mailbox

import (
	"slices"
	"testing"

	"leadgate/shared/lead"
)

// Binary search needs the lists sorted, and a domain in another form than keys have would never be found.
func TestListsAreSortedKeys(t *testing.T) {
	t.Parallel()
	l := New()
	for name, list := range map[string][]string{"disposable": l.disposable, "freemail": l.freemail} {
		if len(list) < 5000 || !slices.IsSorted(list) {
			t.Errorf("%s has %d domains, sorted: %v, want at least 5000, sorted", name, len(list), slices.IsSorted(list))
		}
		for _, domain := range list {
			if _, key, ok := lead.ParseEmail("x@" + domain); !ok || key != "x@"+domain {
				t.Errorf("%s: %q is not as keys have it: %q, %v", name, domain, key, ok)
			}
		}
	}
}
