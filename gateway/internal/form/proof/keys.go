// Package proof says what a browser proved: it derives keys from the secret of the installation, and makes and checks
// with them what needs no store. It is pure.
package proof

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"net/netip"

	"leadgate/shared/id"
)

// Labels of the keys, none of which can be used for another's work.
const (
	addressLabel   = "leadgate visitor address"
	tokenLabel     = "leadgate form token"
	challengeLabel = "leadgate proof of work"
)

// SecretBytes is how long the secret of an installation is.
const SecretBytes = 32

// Keys are what is derived from the secret of an installation. The nil Keys has none: then nothing is proven, and
// nothing is held against anybody.
type Keys struct {
	address, token, challenge []byte
}

// NewKeys derives keys from the secret of an installation.
func NewKeys(secret [SecretBytes]byte) *Keys {
	derive := func(label string) []byte {
		key, err := hkdf.Expand(sha256.New, secret[:], label, sha256.Size) // the secret is random: nothing to extract
		if err != nil {
			panic(err) // only of a length that this never has
		}
		return key
	}
	return &Keys{derive(addressLabel), derive(tokenLabel), derive(challengeLabel)}
}

// AddressHash is what is kept of a visitor's address: 16 bytes, by which submissions of one address can be told to be
// so, within one workspace and by nobody who has not the secret. nil: there are no keys, or no address.
func (k *Keys) AddressHash(workspace id.UUID, address netip.Addr) []byte {
	if k == nil || !address.IsValid() {
		return nil
	}
	own := sum(k.address, workspace[:])
	return sum(own, address.Unmap().WithZone("").AsSlice())[:16]
}

// Challenge is the key with which challenges of proofs of work are signed; nil: there are no keys.
func (k *Keys) Challenge() []byte {
	if k == nil {
		return nil
	}
	return k.challenge
}

// sum is the HMAC-SHA-256 of parts, whose lengths must be fixed but for the last.
func sum(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
