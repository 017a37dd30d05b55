package idempotency

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func FuzzIdempotencyKey(f *testing.F) {
	for _, seed := range []string{"", "k", `"k"`, `"a\"b\\"`, `"a\`, `"`, `"a"b`, "a b", "é", strings.Repeat("k", 256)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		r := &http.Request{Header: http.Header{header: {field}}}
		if !Given(r) {
			t.Fatalf("%q is not seen", field)
		}
		key, err := readKey(r)
		if err != nil {
			return
		}
		invisible := func(c rune) bool { return c <= ' ' || c > '~' }
		if len(key) < 1 || len(key) > 255 || strings.ContainsFunc(key, invisible) {
			t.Fatalf("%q is read as %q", field, key)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		r.Header.Set(header, quoted)
		if again, err := readKey(r); err != nil || again != key {
			t.Fatalf("%s = %q, %v, want %q", quoted, again, err, fmt.Sprint(key))
		}
	})
}
