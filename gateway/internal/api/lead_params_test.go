package api

import (
	"testing"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
)

// Whatever is read as a cursor is written as the same text again, and nothing else is read.
func FuzzCursor(f *testing.F) {
	for _, s := range sorts {
		f.Add(formatCursor(s, pg.LeadKey{UpdatedAt: time.UnixMicro(1767225600123456).UTC(), ID: id.New()}))
	}
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		k, sort, ok := parseCursor(text)
		if !ok {
			return
		}
		if again := formatCursor(sort, k); again != text {
			t.Errorf("parseCursor(%q) is written %q", text, again)
		}
	})
}

func TestCursor(t *testing.T) {
	t.Parallel()
	k := pg.LeadKey{UpdatedAt: time.UnixMicro(1767225600123456).UTC(), ID: id.New()}
	for name, s := range sorts {
		text := formatCursor(s, k)
		want := k
		if !s.Updated {
			want.UpdatedAt = time.Time{}
		}
		if got, sort, ok := parseCursor(text); !ok || got != want || sort != s {
			t.Errorf("%s: parseCursor(formatCursor(%v)) = %v %v %v", name, k, got, sort, ok)
		}
		for i := range text {
			b := []byte(text)
			b[i] ^= 1
			if _, _, ok := parseCursor(string(b)); ok {
				t.Errorf("%s: a cursor with another character at %d is read", name, i)
			}
		}
	}
	if got := formatCursor(pg.LeadSort{}, pg.LeadKey{}); got != "" {
		t.Errorf("the cursor after the last page is %q, want none", got)
	}
}
