package idempotency

import (
	"fmt"
	"net/http"
	"net/http/httptest"
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

func TestMeaningIsToldOfSmallBodies(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/api/v1/leads", nil)
	hashes := func(a, b string, padding int) (written, meant bool) {
		pad := `"pad":"` + strings.Repeat("x", padding) + `"`
		w1, m1 := requestHashes(r, []byte("{"+a+","+b+","+pad+"}"), false)
		w2, m2 := requestHashes(r, []byte("{"+b+","+a+","+pad+"}"), false)
		return w1 == w2, m1 == m2
	}
	if written, meant := hashes(`"a":1`, `"b":2`, 1000); written || !meant {
		t.Errorf("a small body in another order: written %t, meant %t the same, want false, true", written, meant)
	}
	if written, meant := hashes(`"a":1`, `"b":2`, maxMeant); written || meant {
		t.Errorf("a large body in another order: written %t, meant %t the same, want false, false", written, meant)
	}
}
