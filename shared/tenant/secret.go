package tenant

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"
)

// The text of a key or of what opens the console is its prefix, 32 random bytes in base62, and six base62 digits of
// CRC-32 (IEEE) over all that stands before.
const (
	bodyDigits = 43                                                               // 62^43 > 2^256
	sumDigits  = 6                                                                // 62^6 > 2^32
	base62     = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" // big.Int's digits
)

// prefixes say what a key is: of its kind, for live data and for test data.
var prefixes = map[KeyKind][2]string{
	SecretKey:      {"sk-workspace_", "sk-test_"},
	PublishableKey: {"pk-workspace_", "pk-test_"},
}

// The prefixes of what opens the console. They are no keys: neither is taken where the other, or a key, belongs.
const (
	sessionPrefix = "cs_" // of a session's secret, which the browser keeps in a cookie
	linkPrefix    = "cl_" // of a link that opens a session once
)

// prefixOf returns the prefix of a kind.
func prefixOf(kind KeyKind, test bool) string {
	if test {
		return prefixes[kind][1]
	}
	return prefixes[kind][0]
}

// KindOf returns what a key is by its prefix; ok is false when it has no known prefix.
func KindOf(text string) (kind KeyKind, test, ok bool) {
	for kind, both := range prefixes {
		for i, prefix := range both {
			if strings.HasPrefix(text, prefix) {
				return kind, i == 1, true
			}
		}
	}
	return "", false, false
}

// NewSecret makes the secret of a key for live data.
func NewSecret() string { return NewText(SecretKey, false) }

// NewText makes the text of a key: 256 random bits, recognisable by its prefix wherever it leaks.
func NewText(kind KeyKind, test bool) string { return newText(prefixOf(kind, test)) }

func newText(prefix string) string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails (crypto/rand)
	digits := new(big.Int).SetBytes(raw).Text(62)
	text := prefix + strings.Repeat("0", bodyDigits-len(digits)) + digits
	sum := checksum(text)
	return text + string(sum[:])
}

// HashSecret returns what is stored of a secret. ok is false when its form or checksum is wrong, so that no key can
// have it. A fast hash will do: what is hashed has 256 bits of entropy.
func HashSecret(secret string) (hash [32]byte, ok bool) {
	kind, test, ok := KindOf(secret)
	if !ok {
		return hash, false
	}
	return hashText(prefixOf(kind, test), secret)
}

func hashText(prefix, secret string) (hash [32]byte, ok bool) {
	length := len(prefix) + bodyDigits + sumDigits
	if len(secret) != length || !strings.HasPrefix(secret, prefix) {
		return hash, false
	}
	text, sum := secret[:length-sumDigits], secret[length-sumDigits:]
	if want := checksum(text); sum != string(want[:]) {
		return hash, false
	}
	return sha256.Sum256([]byte(secret)), true
}

// NewSessionSecret makes the secret of a console session.
func NewSessionSecret() string { return newText(sessionPrefix) }

// NewLinkSecret makes the secret of a link that opens a console session.
func NewLinkSecret() string { return newText(linkPrefix) }

// HashSessionSecret is HashSecret of the secret of a console session.
func HashSessionSecret(secret string) (hash [32]byte, ok bool) {
	return hashText(sessionPrefix, secret)
}

// HashLinkSecret is HashSecret of the secret of a link.
func HashLinkSecret(secret string) (hash [32]byte, ok bool) { return hashText(linkPrefix, secret) }

// Hint returns a secret's last four characters, by which a person tells keys apart.
func Hint(secret string) string { return secret[max(0, len(secret)-4):] }

func checksum(text string) (sum [sumDigits]byte) {
	c := crc32.ChecksumIEEE([]byte(text))
	for i := sumDigits - 1; i >= 0; i-- {
		sum[i] = base62[c%62]
		c /= 62
	}
	return sum
}
