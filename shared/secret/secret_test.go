package secret_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"leadgate/shared/secret"
)

func newKey() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return base64.StdEncoding.EncodeToString(raw)
}

func mustParse(t *testing.T, text string) *secret.Keyring {
	t.Helper()
	k, err := secret.Parse(text)
	if err != nil {
		t.Fatalf("Parse() = %v", err)
	}
	return k
}

const (
	text  = "whsec_hunter2"
	about = "workspace, endpoint"
)

func TestSealedIsOpenedByAnyKeyOfTheRing(t *testing.T) {
	old, fresh := "2025:"+newKey(), "2026:"+newKey()
	before := mustParse(t, old)
	sealed := before.Seal(text, about)
	if strings.Contains(sealed, "hunter2") || secret.KeyOf(sealed) != "2025" {
		t.Fatalf("Seal() = %s, want something sealed with 2025", sealed)
	}
	if again := before.Seal(text, about); again == sealed {
		t.Error("Seal() twice = the same, want a nonce of its own for each")
	}
	after := mustParse(t, fresh+"\n"+old+"\n")
	if got, err := after.Open(sealed, about); got != text || err != nil {
		t.Errorf("Open() with the old key second = %q, %v", got, err)
	}
	if got := secret.KeyOf(after.Seal(text, about)); got != "2026" || after.First() != "2026" {
		t.Errorf("Seal() uses %s, want the first key, 2026", got)
	}
	_, err := mustParse(t, fresh).Open(sealed, about)
	var missing secret.MissingKeyError
	if !errors.As(err, &missing) || missing.ID != "2025" || !strings.Contains(err.Error(), `"2025"`) {
		t.Errorf("Open() without the key = %v, want an error that names 2025", err)
	}
	if _, err := (*secret.Keyring)(nil).Open(sealed, about); !errors.As(err, &missing) {
		t.Errorf("Open() without any key = %v, want an error that names 2025", err)
	}
	if _, err := mustParse(t, "2025:"+newKey()).Open(sealed, about); !errors.Is(err, secret.ErrAltered) {
		t.Errorf("Open() with another key of this id = %v, want ErrAltered", err)
	}
}

func TestWhatIsInClearStaysReadable(t *testing.T) {
	ring := mustParse(t, "k:"+newKey())
	for _, clear := range []string{"", text, "a § b", "{}", `[{"secret":"x"}]`} {
		if got, err := ring.Open(clear, about); got != clear || err != nil {
			t.Errorf("Open(%q) = %q, %v", clear, got, err)
		}
		if got := (*secret.Keyring)(nil).Seal(clear, about); got != clear {
			t.Errorf("Seal(%q) without keys = %q, want it as it is", clear, got)
		}
	}
	if got := ring.Seal("", about); got != "" {
		t.Errorf("Seal of nothing = %q, want nothing", got)
	}
	// Whoever may choose a secret must not make it look like one that is sealed.
	for _, hostile := range []string{"§k§AAAA", "§", "§§", "§other§x"} {
		for name, by := range map[string]*secret.Keyring{"with keys": ring, "without keys": nil} {
			sealed := by.Seal(hostile, about)
			if got, err := ring.Open(sealed, about); got != hostile || err != nil {
				t.Errorf("%s: Open(Seal(%q)) = %q, %v", name, hostile, got, err)
			}
		}
	}
}

func TestAlteredIsRefused(t *testing.T) {
	ring := mustParse(t, "k:"+newKey())
	sealed := ring.Seal(text, about)
	if _, err := ring.Open(sealed, "workspace, another endpoint"); !errors.Is(err, secret.ErrAltered) {
		t.Errorf("Open() in another place = %v, want ErrAltered", err)
	}
	head := len("§k§")
	raw, err := base64.StdEncoding.DecodeString(sealed[head:])
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 1
		altered := sealed[:head] + base64.StdEncoding.EncodeToString(raw)
		raw[i] ^= 1
		if got, err := ring.Open(altered, about); !errors.Is(err, secret.ErrAltered) || got != "" {
			t.Errorf("Open() with byte %d altered = %q, %v, want ErrAltered", i, got, err)
		}
	}
	for _, cut := range []string{"§", "§k", "§k§", "§k§%", sealed[:len(sealed)/2]} {
		if got, err := ring.Open(cut, about); err == nil || got != "" {
			t.Errorf("Open(%q) = %q, %v, want an error", cut, got, err)
		}
	}
}

func TestParse(t *testing.T) {
	key := newKey()
	for name, c := range map[string]struct{ text, wrong string }{
		"none":              {"", ""},
		"blank lines":       {"\n \n", ""},
		"one":               {"k1:" + key, ""},
		"lines and spaces":  {" k1: " + key + " \r\n\r\nk2:" + newKey() + ",", ""},
		"no id":             {key, "entry 1"},
		"id with a space":   {"k 1:" + key, "entry 1"},
		"id with the mark":  {"k§:" + key, "entry 1"},
		"second without id": {"k1:" + key + "," + newKey(), "entry 2"},
		"too short":         {"k1:" + key[:40], `"k1" must be 32 bytes`},
		"no base64":         {"k1:$(openssl rand -base64 32)", `"k1" must be 32 bytes`},
		"one id twice":      {"k1:" + key + ",k1:" + newKey(), "twice"},
		"one key twice":     {"k1:" + key + ",k2:" + key, "the same key"},
		"too many":          {many(17), "at most 16"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := secret.Parse(c.text)
			if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("Parse() = %v, want %q in it", err, c.wrong)
			}
			if err != nil && strings.Contains(err.Error(), key[:10]) {
				t.Errorf("Parse() = %v, which shows the key", err)
			}
		})
	}
}

func many(n int) string {
	var all []string
	for i := range n {
		all = append(all, string(rune('a'+i))+":"+newKey())
	}
	return strings.Join(all, ",")
}

func BenchmarkOpen(b *testing.B) {
	ring, err := secret.Parse("k:" + newKey())
	if err != nil {
		b.Fatal(err)
	}
	sealed := ring.Seal(text+strings.Repeat("x", 44), about)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Open(sealed, about); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzOpen opens whatever a row may hold: it never fails otherwise than with an error, text in clear is as it is, and
// what was sealed comes back.
func FuzzOpen(f *testing.F) {
	ring, err := secret.Parse("k:" + newKey())
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"", "whsec_x", "§", "§§", "§k§", "§k§AAAA", "§other§AAAA", "§§§k§", ring.Seal("x", about)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ring.Open(text, "elsewhere")
		if !strings.HasPrefix(text, secret.Mark) && (got != text || err != nil) {
			t.Errorf("Open(%q) = %q, %v, want it as it is", text, got, err)
		}
		if err != nil && got != "" {
			t.Errorf("Open(%q) = %q beside the error %v", text, got, err)
		}
		for _, by := range []*secret.Keyring{ring, nil} {
			if got, err := ring.Open(by.Seal(text, about), about); got != text || err != nil {
				t.Errorf("Open(Seal(%q)) = %q, %v", text, got, err)
			}
		}
	})
}
