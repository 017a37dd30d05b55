package pg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/secret"
)

// Bounds of SealSecrets.
const (
	sealPage  = 200 // rows read at a time
	sealTries = 10  // times that all rows are looked through, for those that somebody changed meanwhile
)

// ErrNoSecretKeys is why secrets cannot be sealed.
var ErrNoSecretKeys = errors.New("LEADGATE_SECRET_KEYS is not set")

// SealSecrets seals all secrets with the first key that are in clear or sealed with another one, row by row, and
// returns how many it changed. A row that somebody changes at the same moment is read again, and
// is never written over. It can be interrupted, and goes on where it was when it is run again. changing is how many
// rows are left because they changed each time; secrets whose key is missing are the error, at the end. It looks
// across workspaces.
func (db *DB) SealSecrets(ctx context.Context) (done SecretCount, changing int, err error) {
	if db.keys() == nil {
		return done, 0, ErrNoSecretKeys
	}
	done.Key = db.keys().First()
	for range sealTries {
		endpoints, err := db.sealRows(ctx, endpointsToSeal, db.resealEndpoint)
		if done.Endpoints += endpoints.changed; err != nil {
			return done, 0, err
		}
		forms, err := db.sealRows(ctx, formsToSeal, db.resealForm)
		if done.Forms += forms.changed; err != nil {
			return done, 0, err
		}
		installation, err := db.sealInstallation(ctx)
		if done.Installation += installation.changed; err != nil {
			return done, 0, err
		}
		if changing = endpoints.missed + forms.missed + installation.missed; changing == 0 {
			return done, 0, errors.Join(endpoints.unreadable, forms.unreadable, installation.unreadable)
		}
	}
	return done, changing, nil
}

// The rows that are not sealed with the first key, a page in the order of their keys.
//
//	$1 workspace and $2 row to begin after, $3 the first key, $4 limit
var (
	endpointsToSeal = `
select workspace_id, id, secret, cast(former_secrets as text), cast(headers as text)
  from endpoints
 where (workspace_id, id) > ($1, $2) and secret <> '' and ` + sealedWith(`secret`) + ` <> $3
 order by workspace_id, id limit $4`
	formsToSeal = `
select workspace_id, id, cast(form as text), '', ''
  from api_keys
 where (workspace_id, id) > ($1, $2) and form ->> 'captchaSecret' <> '' and ` + sealedWith(`form ->> 'captchaSecret'`) + ` <> $3
 order by workspace_id, id limit $4`
)

// sealedRow is what a row has to be sealed, as it is stored: the secret, former secrets and headers of an endpoint, or
// a form.
type sealedRow struct {
	workspace, id id.UUID
	texts         [3]string
}

// sealing is what became of the rows of a kind.
type sealing struct {
	changed, missed int
	unreadable      error // of the last of them
}

// sealRows goes through all rows that query finds; reseal changes one if it is still as it was read.
func (db *DB) sealRows(ctx context.Context, query string, reseal func(context.Context, sealedRow) (int, error)) (
	s sealing, err error) {
	scan := func(row conn.Row) (r sealedRow, err error) {
		err = row.Scan(&r.workspace, &r.id, &r.texts[0], &r.texts[1], &r.texts[2])
		return r, err
	}
	var after sealedRow
	for {
		page, err := conn.Collect(ctx, db, "read secrets", scan, query, after.workspace, after.id, db.keys().First(),
			sealPage)
		if err != nil {
			return s, err
		}
		for _, r := range page {
			changed, err := reseal(ctx, r)
			var missing secret.MissingKeyError
			switch {
			case errors.As(err, &missing), errors.Is(err, secret.ErrAltered):
				s.unreadable = fmt.Errorf("row %s of workspace %s: %w", r.id, id.Workspace.Format(r.workspace), err)
				continue
			case err != nil:
				return s, err
			}
			s.changed += changed
			s.missed += 1 - changed
		}
		if len(page) < sealPage {
			return s, nil
		}
		after = page[len(page)-1]
	}
}

// resealEndpoint seals the secrets of an endpoint with the first key.
func (db *DB) resealEndpoint(ctx context.Context, r sealedRow) (changed int, err error) {
	const q = `
update endpoints set secret = $3, former_secrets = $4, headers = $5
 where workspace_id = $1 and id = $2 and secret = $6 and cast(former_secrets as text) = $7 and cast(headers as text) = $8`
	old := r.texts
	if r.texts[0], err = db.reseal(old[0], about(r.workspace, r.id, endpointSecret)); err != nil {
		return 0, err
	}
	for i, what := range []string{formerSecrets, headerValues} {
		stored, about := &r.texts[i+1], about(r.workspace, r.id, what)
		if *stored == "[]" || *stored == "{}" {
			continue
		}
		text, err := db.openJSON([]byte(*stored), about)
		if err != nil {
			return 0, err
		}
		sealed, err := json.Marshal(db.keys().Seal(string(text), about))
		if err != nil {
			return 0, err
		}
		*stored = string(sealed)
	}
	return conn.Exec(ctx, db, "seal secrets", q, r.workspace, r.id, r.texts[0], r.texts[1], r.texts[2], old[0], old[1],
		old[2])
}

// resealForm seals the captcha's secret of a form with the first key, and leaves what else the form has as it is.
func (db *DB) resealForm(ctx context.Context, r sealedRow) (changed int, err error) {
	const (
		q = `
update api_keys set form = $3
 where workspace_id = $1 and id = $2 and cast(form as text) = $4`
		member = "captchaSecret"
	)
	var form map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.texts[0]), &form); err != nil {
		return 0, err
	}
	var stored string
	if err := json.Unmarshal(form[member], &stored); err != nil {
		return 0, err
	}
	sealed, err := db.reseal(stored, about(r.workspace, r.id, captchaSecret))
	if err != nil {
		return 0, err
	}
	if form[member], err = json.Marshal(sealed); err != nil {
		return 0, err
	}
	text, err := json.Marshal(form)
	if err != nil {
		return 0, err
	}
	return conn.Exec(ctx, db, "seal secrets", q, r.workspace, r.id, string(text), r.texts[0])
}

// reseal opens stored text and seals it with the first key.
func (db *DB) reseal(stored, about string) (string, error) {
	text, err := db.keys().Open(stored, about)
	if err != nil {
		return "", err
	}
	return db.keys().Seal(text, about), nil
}
