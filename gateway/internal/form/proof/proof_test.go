package proof_test

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"leadgate/gateway/internal/form/proof"
	"leadgate/shared/id"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func keys(first byte) *proof.Keys { return proof.NewKeys([proof.SecretBytes]byte{first}) }

func TestToken(t *testing.T) {
	k, form := keys(1), id.New()
	token := k.Token(form, now)
	if token == k.Token(form, now) {
		t.Error("two tokens are the same")
	}
	altered := func(at int) string {
		other := byte('A')
		if token[at] == other {
			other = 'B'
		}
		return token[:at] + string(other) + token[at+1:]
	}
	for name, c := range map[string]struct {
		keys  *proof.Keys
		text  string
		form  id.UUID
		after time.Duration
		age   time.Duration
		want  proof.State
	}{
		"at once":                 {k, token, form, 0, 0, proof.Valid},
		"by another gateway":      {keys(1), token, form, 1500 * time.Millisecond, 1500 * time.Millisecond, proof.Valid},
		"by a clock that is late": {k, token, form, -time.Second, 0, proof.Valid},
		"of the future":           {k, token, form, -3 * time.Second, 0, proof.Invalid},
		"after an hour":           {k, token, form, time.Hour, time.Hour, proof.Valid},
		"after more than an hour": {k, token, form, time.Hour + time.Second, time.Hour + time.Second, proof.Expired},
		"of another form":         {k, token, id.New(), 0, 0, proof.Invalid},
		"of another installation": {keys(2), token, form, 0, 0, proof.Invalid},
		"with another time":       {k, altered(5), form, 0, 0, proof.Invalid},
		"with another salt":       {k, altered(12), form, 0, 0, proof.Invalid},
		"with another signature":  {k, altered(39), form, 0, 0, proof.Invalid},
		"cut off":                 {k, token[:39], form, 0, 0, proof.Invalid},
		"too long":                {k, token + "A", form, 0, 0, proof.Invalid},
		"another text":            {k, strings.Repeat("!", len(token)), form, 0, 0, proof.Invalid},
		"none":                    {k, "", form, 0, 0, proof.Absent},
		"without keys":            {nil, token, form, 0, 0, proof.Unchecked},
		"none, without keys":      {nil, "", form, 0, 0, proof.Unchecked},
	} {
		t.Run(name, func(t *testing.T) {
			if age, state := c.keys.CheckToken(c.text, c.form, now.Add(c.after)); age != c.age || state != c.want {
				t.Errorf("CheckToken() = %v, %q, want %v, %q", age, state, c.age, c.want)
			}
		})
	}
	if got := (*proof.Keys)(nil).Token(form, now); got != "" {
		t.Errorf("without keys Token() = %q, want none", got)
	}
}

// What is kept of an address tells nobody without the secret which it is, nor in which other workspace it is.
func TestAddressHash(t *testing.T) {
	k, ws := keys(1), id.New()
	hash := func(k *proof.Keys, workspace id.UUID, address string) string {
		return hex.EncodeToString(k.AddressHash(workspace, netip.MustParseAddr(address)))
	}
	one := hash(k, ws, "192.0.2.1")
	if len(one) != 32 || one != hash(keys(1), ws, "::ffff:192.0.2.1") {
		t.Errorf("AddressHash() = %s, want 16 bytes, the same of both spellings", one)
	}
	for name, other := range map[string]string{"address": hash(k, ws, "192.0.2.2"), "workspace": hash(k, id.New(), "192.0.2.1"),
		"installation": hash(keys(2), ws, "192.0.2.1")} {
		if other == one {
			t.Errorf("another %s has the same hash", name)
		}
	}
	if got := k.AddressHash(ws, netip.Addr{}); got != nil {
		t.Errorf("AddressHash(no address) = %x, want nil", got)
	}
	if got := (*proof.Keys)(nil).AddressHash(ws, netip.MustParseAddr("192.0.2.1")); got != nil {
		t.Errorf("without keys AddressHash() = %x, want nil", got)
	}
}

func BenchmarkCheckToken(b *testing.B) {
	k, form := keys(1), id.New()
	token := k.Token(form, now)
	for b.Loop() {
		k.CheckToken(token, form, now)
	}
}
