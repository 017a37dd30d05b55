package lead_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"leadgate/shared/lead"
)

// spellings returns forty ways to write one address.
func spellings() []string {
	var all []string
	for _, local := range []string{"josé.garcía", "JOSÉ.GARCÍA", "José.García", "jOSÉ.gARCÍA"} {
		for _, domain := range []string{"bücher.example", "BÜCHER.EXAMPLE", "xn--bcher-kva.example", "XN--BCHER-KVA.Example",
			"ｂücher。example"} {
			all = append(all, " "+local+"@"+domain+"\t", norm.NFD.String(local+"@"+domain)+"\u3000")
		}
	}
	return all
}

func TestParseEmailOneKeyForAllSpellings(t *testing.T) {
	t.Parallel()
	const want = "josé.garcía@xn--bcher-kva.example"
	seen := map[string]bool{}
	for _, typed := range spellings() {
		email, key, ok := lead.ParseEmail(typed)
		if _, again, is := lead.ParseEmail(email); !ok || key != want || !is || again != want {
			t.Errorf("ParseEmail(%q) = %q, %q, %v, want key %q", typed, email, key, ok, want)
		}
		seen[typed] = true
	}
	if len(seen) != 40 {
		t.Errorf("the table has %d spellings, want 40", len(seen))
	}
}

func TestParseEmailAccepts(t *testing.T) {
	t.Parallel()
	// 254 bytes: 64 + 1 + 189
	long := strings.Repeat("a", 64) + "@" + strings.Repeat("b", 61) + strings.Repeat("."+strings.Repeat("b", 61), 2) +
		".com"
	for typed, key := range map[string]string{
		"john.doe@example.com":     "john.doe@example.com",
		"  John.Doe@Example.COM\n": "john.doe@example.com",
		"john+news@example.com":    "john+news@example.com",
		"j.o.h.n@gmail.com":        "j.o.h.n@gmail.com",
		"!#$%&'*+-/=?^_`{|}~@a.io": "!#$%&'*+-/=?^_`{|}~@a.io",
		"x@1.example":              "x@1.example",
		"x@3com.example":           "x@3com.example",
		"x@a-b.example":            "x@a-b.example",
		"用户@例子.广告":                 "用户@xn--fsqu00a.xn--4rr70v",
		"δοκιμή@παράδειγμα.δοκιμή": "δοκιμή@xn--hxajbheg2az3al.xn--jxalpdlp",
		"x@faß.example":            "x@xn--fa-hia.example",
		"İ@example.com":            "i\u0307@example.com",
		long:                       long,
		// full width, as East Asian keyboards write it
		"ann＠example.com": "ann@example.com", "ｂｏｂ@example.com": "bob@example.com",
		"ｃａｔ．１＠ｅｘａｍｐｌｅ．ｃｏｍ": "cat.1@example.com", "dan@example。com": "dan@example.com", "eve@example｡com": "eve@example.com",
		// other spellings of the same letters
		"ﬁnn@example.com": "finn@example.com", "ªnn@example.com": "ann@example.com", "ｶﾅ@example.com": "カナ@example.com",
		"K@example.com": "k@example.com", "ann²@example.com": "ann2@example.com",
		// what cannot be seen
		"\ufeffann@example.com": "ann@example.com", "ann\u200b@example.com": "ann@example.com",
		"ann@exam\u00adple.com\u200f": "ann@example.com", "\u202aann@example.com\u202c": "ann@example.com",
		"ann\u2060@example.com": "ann@example.com", "ann\ufe0f@example.com": "ann@example.com",
		"an\u200dn@example.com": "ann@example.com", "\u00a0ann@example.com\u3000": "ann@example.com",
		"ann\u3164@example.com": "ann@example.com",
		// what browsers take
		".ann@example.com": ".ann@example.com", "ann.@example.com": "ann.@example.com", "a..b@example.com": "a..b@example.com",
		"ann@r3---sn.example.com": "ann@r3---sn.example.com", "ann@ab--cd.example": "ann@ab--cd.example",
		"ann@xn--zzzzzzzzz.Example": "ann@xn--zzzzzzzzz.example",
		// a ligature whose words would have spaces between them
		"\ufdfa@example.com": "\ufdfa@example.com",
	} {
		t.Run(typed, func(t *testing.T) {
			if _, got, ok := lead.ParseEmail(typed); !ok || got != key {
				t.Errorf("ParseEmail(%q) = %q, %v, want key %q", typed, got, ok, key)
			}
		})
	}
}

func TestParseEmailRefuses(t *testing.T) {
	t.Parallel()
	for _, typed := range []string{
		"", " ", "@", "invalid-email", "a@", "@example.com", "a@b", "a@@example.com", "a@b@example.com",
		"Bob <a@example.com>", "<a@example.com>", `"a b"@example.com`, `"a"@example.com`, "a@example.com(comment)",
		"a@[127.0.0.1]", "a@127.0.0.1", "a@[IPv6:::1]",
		"a b@example.com", "a,b@example.com", "a;b@example.com",
		`a\b@example.com`,
		"a@-b.example", "a@b-.example", "a@b_c.example", "a@.example", "a@example..com", "a@example.com.", "a@example.com。",
		"a@example.123", "a@exa mple.com",
		"a@xn--.example", "a@ä.xn--zzzzzzzzz", "a@localhost", "a@" + strings.Repeat("b", 64) + ".example",
		strings.Repeat("a", 65) + "@example.com", strings.Repeat("a", 64) + "@" + strings.Repeat("b", 62) +
			strings.Repeat("."+strings.Repeat("b", 61), 2) + ".com", strings.Repeat("é", 33) + "@example.com",
		"a@" + strings.Repeat("b.", 126) + "example", strings.Repeat("a", 300),
		"a\x00@example.com", "a\n@example.com", "a\u00a0b@example.com", "a\u3000b@example.com",
		"a\xff@example.com", "a@\xffexample.com", "a\ue000@example.com", "\u0301a@example.com", "\u200b@example.com",
		"a@\u0301b.example", "😀@example.com", "a@אa.example", "نامه\u200cای@example.com", "a@نامه\u200cای.example",
		"a" + strings.Repeat("\u200b", 1000) + "@example.com", "a＠b＠example.com", "a。b@example.com", "ａ＠[127.0.0.1]",
		"¨@example.com",
	} {
		t.Run(typed, func(t *testing.T) {
			if email, key, ok := lead.ParseEmail(typed); ok {
				t.Errorf("ParseEmail(%q) = %q, %q, want it refused", typed, email, key)
			}
		})
	}
}

// The key of a key is itself: what Postgres' unique index holds can be parsed again and compared.
func FuzzParseEmail(f *testing.F) {
	for _, seed := range append(spellings()[:8], "a+b@example.com", "a@b", `"a b"@c.example`, "a@xn--bcher-kva.example",
		"İ@example.com", "ᾳ@example.com", "a@ǅ.example", "a@\u2488com", "Ⱥ@example.com") {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		email, key, ok := lead.ParseEmail(typed)
		if !ok {
			return
		}
		if len(email) > 254 || len(key) > 254 || !utf8.ValidString(key) || !norm.NFC.IsNormalString(key) {
			t.Errorf("ParseEmail(%q) = %q, %q, which breaks its own rules", typed, email, key)
		}
		if again, twice, ok := lead.ParseEmail(key); !ok || twice != key || again != key {
			t.Errorf("ParseEmail(%q) = %q, %q, %v, want itself: it is the key of %q", key, again, twice, ok, typed)
		}
		if shown, same, ok := lead.ParseEmail(email); !ok || shown != email || same != key {
			t.Errorf("ParseEmail(%q) = %q, %q, %v, want itself and %q: it is shown for %q", email, shown, same, ok, key, typed)
		}
		for _, other := range []string{norm.NFD.String(typed), norm.NFC.String(typed),
			strings.ToLower(norm.NFD.String(typed))} {
			if _, same, ok := lead.ParseEmail(other); ok && same != key {
				t.Errorf("ParseEmail(%q) has key %q, want %q as %q has", other, same, key, typed)
			}
		}
		if strings.Count(key, "@") != 1 || strings.ContainsAny(key, " \x00\"(),:;<>[]\\") {
			t.Errorf("ParseEmail(%q) has key %q, which is no plain address", typed, key)
		}
	})
}
