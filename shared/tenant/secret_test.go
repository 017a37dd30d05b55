package tenant_test

import (
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"

	"leadgate/shared/tenant"
)

func TestNewSecret(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^sk-workspace_[0-9A-Za-z]{49}$`)
	seen := map[string]bool{}
	for range 1000 {
		secret := tenant.NewSecret()
		if !form.MatchString(secret) {
			t.Fatalf("NewSecret() = %q, want it to match %s", secret, form)
		}
		hash, ok := tenant.HashSecret(secret)
		if !ok || hash != sha256.Sum256([]byte(secret)) {
			t.Fatalf("HashSecret(%q) = %x, %v, want its SHA-256, true", secret, hash, ok)
		}
		if seen[secret] {
			t.Fatalf("NewSecret() = %q twice", secret)
		}
		seen[secret] = true
	}
}

// Every place of the random part takes many values: the entropy is really there.
func TestNewSecretUsesAllItsDigits(t *testing.T) {
	t.Parallel()
	const prefix, body = len("sk-workspace_"), 43
	var seen [body]map[byte]bool
	for range 2000 {
		secret := tenant.NewSecret()
		for i := range seen {
			if seen[i] == nil {
				seen[i] = map[byte]bool{}
			}
			seen[i][secret[prefix+i]] = true
		}
	}
	for i, values := range seen {
		if want := 62; len(values) < want && i > 0 { // 2^256 is a little less than 62^43, so the first digit has fewer values
			t.Errorf("digit %d of 2000 secrets took %d values, want %d", i, len(values), want)
		}
	}
	if len(seen[0]) < 50 {
		t.Errorf("the first digit took %d values, want at least 50", len(seen[0]))
	}
}

func TestHashSecretRefusesEveryMistypedCharacter(t *testing.T) {
	t.Parallel()
	secret := tenant.NewSecret()
	for i := range len(secret) {
		for c := byte(0x20); c < 0x7F; c++ {
			if typed := secret[:i] + string(rune(c)) + secret[i+1:]; typed != secret {
				if _, ok := tenant.HashSecret(typed); ok {
					t.Errorf("HashSecret(%q) = ok, want it refused: it was %q", typed, secret)
				}
			}
		}
	}
	for i := range len(secret) - 1 { // neighbours swapped
		typed := secret[:i] + secret[i+1:i+2] + secret[i:i+1] + secret[i+2:]
		if _, ok := tenant.HashSecret(typed); ok && typed != secret {
			t.Errorf("HashSecret(%q) = ok, want it refused: it was %q", typed, secret)
		}
	}
	for _, typed := range []string{"", "sk-workspace_", secret[1:], secret[:len(secret)-1], secret + "a", " " + secret,
		strings.ToUpper(secret)} {
		if _, ok := tenant.HashSecret(typed); ok {
			t.Errorf("HashSecret(%q) = ok, want it refused", typed)
		}
	}
}

// A made-up secret whose checksum was worked out elsewhere (zlib's crc32): the format may not change under stored keys.
func TestHashSecretKnowsOldKeys(t *testing.T) {
	t.Parallel()
	const secret = "sk-workspace_" + "0000000000000000000000000000000000000000000" + "2dltWU"
	if _, ok := tenant.HashSecret(secret); !ok {
		t.Errorf("HashSecret(%q) is refused, want ok", secret)
	}
}

func TestHint(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]string{"sk-workspace_abcdWXYZ": "WXYZ", "abc": "abc", "": ""} {
		t.Run(secret, func(t *testing.T) {
			if got := tenant.Hint(secret); got != want {
				t.Errorf("Hint(%q) = %q, want %q", secret, got, want)
			}
		})
	}
}
