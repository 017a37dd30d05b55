package pg_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadgate/shared/pg"
)

// All gateways have one secret, also those that ask for it first at the same moment, and whatever it is sealed with.
func TestInstallationSecret(t *testing.T) {
	t.Parallel()
	s := newSealed(t)
	clearly, gateways := s.with(), []*pg.DB{s.with(s.new, s.old), s.with(s.old, s.new)}
	got := make([][32]byte, 16)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			root, err := gateways[i%len(gateways)].InstallationSecret(t.Context())
			if err != nil {
				t.Errorf("InstallationSecret() = %v", err)
			}
			got[i] = root
		})
	}
	all.Wait()
	for _, root := range got {
		if root != got[0] || root == [32]byte{} {
			t.Fatalf("gateways have the secrets %x and %x, want one", got[0], root)
		}
	}
	stored := func() (text string) {
		if err := clearly.GetContext(t.Context(), &text, `select secret from installation_secrets`); err != nil {
			t.Fatal(err)
		}
		return text
	}
	clear := base64.StdEncoding.EncodeToString(got[0][:])
	if strings.Contains(stored(), clear) {
		t.Errorf("Postgres has the secret in clear: %s", stored())
	}
	if _, err := clearly.InstallationSecret(t.Context()); err == nil || strings.Contains(err.Error(), clear) {
		t.Errorf("InstallationSecret() without the key = %v, want an error", err)
	}
	if _, changing, err := gateways[0].SealSecrets(t.Context()); changing != 0 || err != nil {
		t.Errorf("SealSecrets() = %d, %v", changing, err)
	}
	only := s.with(s.new)
	if root, err := only.InstallationSecret(t.Context()); root != got[0] || err != nil {
		t.Errorf("after a rotation InstallationSecret() = %x, %v, want %x", root, err, got[0])
	}
	counts, err := only.CountSecrets(t.Context())
	if diff := cmp.Diff([]pg.SecretCount{{Key: "new", Installation: 1}}, counts); diff != "" || err != nil {
		t.Errorf("CountSecrets() (-want +got): %v\n%s", err, diff)
	}

	// Without its key a gateway starts, and says so; nothing is written over.
	without, before := s.with(s.old), stored()
	var log bytes.Buffer
	if err := without.CheckSecrets(t.Context(), slog.New(slog.NewTextHandler(&log, nil))); err != nil ||
		!strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "key=new") {
		t.Errorf("CheckSecrets() = %v with the log\n%s\nwant an error logged that names the key", err, &log)
	}
	if _, _, err := without.SealSecrets(t.Context()); err == nil || !strings.Contains(err.Error(), `"new"`) {
		t.Errorf("SealSecrets() = %v, want an error that names the key", err)
	}
	if stored() != before {
		t.Error("a process without the key wrote over the secret")
	}
}

// Without keys it is in clear, as all secrets are, and a key that is set later seals it.
func TestInstallationSecretInClear(t *testing.T) {
	t.Parallel()
	s := newSealed(t)
	root, err := s.with().InstallationSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db := s.with(s.new)
	if got, err := db.InstallationSecret(t.Context()); got != root || err != nil {
		t.Errorf("InstallationSecret() = %x, %v, want %x", got, err, root)
	}
	if done, _, err := db.SealSecrets(t.Context()); done.Installation != 1 || err != nil {
		t.Errorf("SealSecrets() = %+v, %v, want it sealed", done, err)
	}
	if done, _, err := db.SealSecrets(t.Context()); done.Installation != 0 || err != nil {
		t.Errorf("SealSecrets() again = %+v, %v, want nothing left to do", done, err)
	}
}
