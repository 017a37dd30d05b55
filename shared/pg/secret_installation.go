package pg

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/secret"
)

// rootSecret names the one row of installation_secrets.
const rootSecret = "root"

// aboutInstallation says that the secret is of no workspace and no row.
func aboutInstallation() string { return about(id.UUID{}, id.UUID{}, "installation secret") }

// InstallationSecret returns the secret that all gateways of this database share, from which they derive keys. The
// first that asks makes it. It looks across workspaces.
func (db *DB) InstallationSecret(ctx context.Context) (root [32]byte, err error) {
	const doing = "read installation secret"
	const insert = `
insert into installation_secrets (name, secret, created_at) values ($1, $2, now()) on conflict (name) do nothing`
	stored, found, err := db.storedInstallationSecret(ctx)
	if err == nil && !found {
		rand.Read(root[:]) // never fails
		sealed := db.keys().Seal(base64.StdEncoding.EncodeToString(root[:]), aboutInstallation())
		if _, err = conn.Exec(ctx, db, "create installation secret", insert, rootSecret, sealed); err == nil {
			stored, _, err = db.storedInstallationSecret(ctx) // of whoever was first
		}
	}
	if err != nil {
		return [32]byte{}, err
	}
	text, err := db.keys().Open(stored, aboutInstallation())
	if err != nil {
		return [32]byte{}, fmt.Errorf("%s: %w", doing, err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != len(root) {
		return [32]byte{}, fmt.Errorf("%s: %w", doing, secret.ErrAltered)
	}
	return [32]byte(raw), nil
}

// storedInstallationSecret returns the secret as it is stored. It looks across workspaces.
func (db *DB) storedInstallationSecret(ctx context.Context) (stored string, found bool, err error) {
	const q = `select secret from installation_secrets where name = $1`
	return conn.Find(ctx, db, "read installation secret", conn.Value[string], q, rootSecret)
}

// sealInstallation seals the secret of the installation with the first key, where there is one. It looks across
// workspaces.
func (db *DB) sealInstallation(ctx context.Context) (s sealing, err error) {
	const q = `update installation_secrets set secret = $2 where name = $1 and secret = $3`
	stored, found, err := db.storedInstallationSecret(ctx)
	if err != nil || !found || secret.KeyOf(stored) == db.keys().First() {
		return s, err
	}
	sealed, err := db.reseal(stored, aboutInstallation())
	var missing secret.MissingKeyError
	if errors.As(err, &missing) || errors.Is(err, secret.ErrAltered) {
		s.unreadable = fmt.Errorf("the installation: %w", err)
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.changed, err = conn.Exec(ctx, db, "seal secrets", q, rootSecret, sealed, stored)
	s.missed = 1 - s.changed
	return s, err
}
