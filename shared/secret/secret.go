// Package secret seals what is secret before it is stored: AES-256-GCM, with several keys, so that they can be changed.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Mark stands before and after the id of the key, at the beginning of text that a Keyring has written. Nothing that
// was stored in clear begins with it.
const Mark = "§"

const keyBytes = 32 // AES-256

// maxKeys is how many keys a Keyring can have: one is in use, and the others are on their way out.
const maxKeys = 16

var keyID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// Keyring holds the keys: the first seals, all of them open. The nil Keyring has none; it leaves text in clear and
// opens text in clear.
type Keyring struct {
	first string
	keys  map[string]cipher.AEAD
}

// Parse reads keys as an operator sets them: "id:base64 of 32 bytes", separated by commas or lines. Text without a key
// is the nil Keyring. Errors hold nothing of a key.
func Parse(text string) (*Keyring, error) {
	k := &Keyring{keys: map[string]cipher.AEAD{}}
	seen := map[string]string{} // id by key
	for at, entry := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		id, encoded, found := strings.Cut(entry, ":")
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		switch {
		case !found || !keyID.MatchString(id):
			return nil, fmt.Errorf("entry %d must be an id of 1 to 32 letters, digits, _ and -, a colon, and the key", at+1)
		case err != nil || len(raw) != keyBytes:
			return nil, fmt.Errorf("the key %q must be %d bytes in base64, as openssl rand -base64 %d makes them", id, keyBytes,
				keyBytes)
		case k.keys[id] != nil:
			return nil, fmt.Errorf("the id %q is there twice", id)
		case seen[string(raw)] != "":
			return nil, fmt.Errorf("%q and %q are the same key", seen[string(raw)], id)
		case len(k.keys) == maxKeys:
			return nil, fmt.Errorf("there must be at most %d keys", maxKeys)
		}
		seen[string(raw)] = id
		block, err := aes.NewCipher(raw)
		if err != nil {
			return nil, err
		}
		if k.keys[id], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, err
		}
		if k.first == "" {
			k.first = id
		}
	}
	if k.first == "" {
		return nil, nil
	}
	return k, nil
}

// First returns the id of the key that seals; "" without keys.
func (k *Keyring) First() string {
	if k == nil {
		return ""
	}
	return k.first
}

// Has reports whether text that KeyOf says id of can be opened.
func (k *Keyring) Has(id string) bool { return id == "" || k != nil && k.keys[id] != nil }

// Seal returns text as it is to be stored. It can be opened only with the same about, which says what it is of whom:
// what was moved to another row or tenant is refused. Empty text stays empty. One key should seal no more than 2^32
// texts, the limit of AES-GCM with random nonces.
func (k *Keyring) Seal(text, about string) string {
	switch {
	case text == "":
		return ""
	case k != nil:
		sealed := k.keys[k.first].Seal(nil, nil, []byte(text), []byte(about))
		return Mark + k.first + Mark + base64.StdEncoding.EncodeToString(sealed)
	case strings.HasPrefix(text, Mark): // or it would be taken for sealed
		return Mark + Mark + text
	}
	return text
}

// Open returns the text that stored holds, sealed or in clear. The error is a MissingKeyError, or ErrAltered; it holds
// nothing of the text.
func (k *Keyring) Open(stored, about string) (string, error) {
	rest, marked := strings.CutPrefix(stored, Mark)
	id, sealed, closed := strings.Cut(rest, Mark)
	switch {
	case !marked:
		return stored, nil
	case !closed:
		return "", ErrAltered
	case id == "":
		return sealed, nil
	case !k.Has(id):
		return "", MissingKeyError{id}
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err == nil {
		raw, err = k.keys[id].Open(nil, nil, raw, []byte(about))
	}
	if err != nil {
		return "", fmt.Errorf("key %q: %w", id, ErrAltered)
	}
	return string(raw), nil
}

// KeyOf returns the id of the key that stored is sealed with; "" is in clear.
func KeyOf(stored string) string {
	rest, marked := strings.CutPrefix(stored, Mark)
	if !marked {
		return ""
	}
	id, _, _ := strings.Cut(rest, Mark)
	return id
}

// ErrAltered says that stored text is not what was sealed with the key of its id, or not in that place.
var ErrAltered = errors.New("the secret cannot be opened: its key is not the one it was sealed with, or it was altered")

// MissingKeyError is the error of text whose key a Keyring does not have.
type MissingKeyError struct{ ID string }

func (e MissingKeyError) Error() string {
	return fmt.Sprintf("the secret is sealed with the key %q, which LEADGATE_SECRET_KEYS does not have", e.ID)
}
