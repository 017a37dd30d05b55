package tenant

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"
)

// A secret is "sk-workspace_", 32 random bytes in base62, and six base62 digits of CRC-32 (IEEE) over all that stands before.
const (
	secretPrefix = "sk-workspace_"
	bodyDigits   = 43 // 62^43 > 2^256
	sumDigits    = 6  // 62^6 > 2^32
	secretLength = len(secretPrefix) + bodyDigits + sumDigits
	base62       = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" // big.Int's digits
)

// NewSecret makes the secret of a key: 256 random bits, recognisable by its prefix wherever it leaks.
func NewSecret() string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails (crypto/rand)
	digits := new(big.Int).SetBytes(raw).Text(62)
	text := secretPrefix + strings.Repeat("0", bodyDigits-len(digits)) + digits
	sum := checksum(text)
	return text + string(sum[:])
}

// HashSecret returns what is stored of a secret. ok is false when its form or checksum is wrong, so that no key can have it.
// A fast hash will do: what is hashed has 256 bits of entropy.
func HashSecret(secret string) (hash [32]byte, ok bool) {
	if len(secret) != secretLength || !strings.HasPrefix(secret, secretPrefix) {
		return hash, false
	}
	text, sum := secret[:secretLength-sumDigits], secret[secretLength-sumDigits:]
	if want := checksum(text); sum != string(want[:]) {
		return hash, false
	}
	return sha256.Sum256([]byte(secret)), true
}

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
