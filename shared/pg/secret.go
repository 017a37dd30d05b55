package pg

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/pg/conn"
	"leadgate/shared/secret"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// Names of what is sealed, which no stored text may be moved between.
const (
	endpointSecret = "endpoint secret"
	formerSecrets  = "former secrets"
	headerValues   = "headers"
	captchaSecret  = "captcha secret"
)

// about says what is sealed: one value of one row of one workspace. This is all of the encryption at rest; above this
// package secrets are plain.
func about(workspace, row id.UUID, what string) string {
	return string(workspace[:]) + string(row[:]) + what
}

// sealedEndpoint is what is secret of an endpoint, as its row has it.
type sealedEndpoint struct {
	secret          string
	former, headers []byte // JSON; sealed it is a JSON string
}

// sealEndpoint returns what is secret of e as it is to be stored.
func (db *DB) sealEndpoint(e *webhook.Endpoint) (s sealedEndpoint, err error) {
	if e.Unreadable != nil { // what cannot be read must not be written over
		return s, secretsUnreadable(e.Unreadable)
	}
	s.secret = db.keys().Seal(e.Secret, about(e.WorkspaceID, e.ID, endpointSecret))
	if s.former, err = db.sealJSON(e.Former, len(e.Former), "[]", about(e.WorkspaceID, e.ID, formerSecrets)); err != nil {
		return s, err
	}
	s.headers, err = db.sealJSON(e.Headers, len(e.Headers), "{}", about(e.WorkspaceID, e.ID, headerValues))
	return s, err
}

// openEndpoint puts what is secret of e into it. Where that cannot be opened e is Unreadable, and there is no error:
// all else of the endpoint can be worked with.
func (db *DB) openEndpoint(e *webhook.Endpoint, s sealedEndpoint) (err error) {
	var former, headers []byte
	e.Secret, e.Unreadable = db.keys().Open(s.secret, about(e.WorkspaceID, e.ID, endpointSecret))
	if e.Unreadable == nil {
		former, e.Unreadable = db.openJSON(s.former, about(e.WorkspaceID, e.ID, formerSecrets))
	}
	if e.Unreadable == nil {
		headers, e.Unreadable = db.openJSON(s.headers, about(e.WorkspaceID, e.ID, headerValues))
	}
	if e.Unreadable != nil {
		e.Secret = ""
		return nil
	}
	if err := json.Unmarshal(former, &e.Former); err != nil {
		return err
	}
	return json.Unmarshal(headers, &e.Headers)
}

// sealJSON returns v of n items as JSON, sealed as a JSON string; nothing is none, in clear.
func (db *DB) sealJSON(v any, n int, none, about string) ([]byte, error) {
	if n == 0 {
		return []byte(none), nil
	}
	text, err := json.Marshal(v)
	if err != nil || db.keys() == nil {
		return text, err
	}
	return json.Marshal(db.keys().Seal(string(text), about))
}

// openJSON returns the JSON that a row holds, sealed or in clear.
func (db *DB) openJSON(stored []byte, about string) ([]byte, error) {
	if len(stored) == 0 || stored[0] != '"' {
		return stored, nil
	}
	var sealed string
	if err := json.Unmarshal(stored, &sealed); err != nil {
		return nil, err
	}
	text, err := db.keys().Open(sealed, about)
	return []byte(text), err
}

// sealForm returns a key's form as a parameter; nil is null.
func (db *DB) sealForm(workspace, key id.UUID, f *tenant.Form) (any, error) {
	if f == nil {
		return nil, nil
	}
	if f.Unreadable != nil {
		return nil, secretsUnreadable(f.Unreadable)
	}
	sealed := *f
	sealed.CaptchaSecret = db.keys().Seal(f.CaptchaSecret, about(workspace, key, captchaSecret))
	text, err := json.Marshal(sealed)
	return string(text), err
}

// openForm reads a key's form; nil means that the key has none. Where its captcha's secret cannot be opened it is
// Unreadable, and there is no error.
func (db *DB) openForm(workspace, key id.UUID, text []byte) (f *tenant.Form, err error) {
	if text == nil {
		return nil, nil
	}
	if err := json.Unmarshal(text, &f); err != nil || f == nil {
		return f, err
	}
	f.CaptchaSecret, f.Unreadable = db.keys().Open(f.CaptchaSecret, about(workspace, key, captchaSecret))
	return f, nil
}

// secretsUnreadable is the error of what needs a secret that cannot be opened. Once the operator has put the key back
// it works again.
func secretsUnreadable(cause error) error { return fault.StoreUnavailable(cause, 10*time.Second) }

// SecretCount is how many endpoints and forms have secrets that are sealed with one key.
type SecretCount struct {
	Key          string // its id; "": in clear
	Endpoints    int
	Forms        int // with a captcha
	Installation int // 1: the secret that all gateways share is, too
}

// sealedWith is the id of the key that an expression's text is sealed with; in clear it is empty.
func sealedWith(expression string) string {
	return `split_part(` + expression + `, '` + secret.Mark + `', 2)`
}

// CountSecrets returns how many secrets are sealed with which key, by id. It looks across workspaces.
func (db *DB) CountSecrets(ctx context.Context) ([]SecretCount, error) {
	q := `
select key, count(*) filter (where what = 'endpoint'), count(*) filter (where what = 'form'),
       count(*) filter (where what = 'installation')
  from (select ` + sealedWith(`secret`) + ` as key, 'endpoint' as what from endpoints where secret <> ''
        union all
        select ` + sealedWith(`form ->> 'captchaSecret'`) + `, 'form' from api_keys where form ->> 'captchaSecret' <> ''
        union all
        select ` + sealedWith(`secret`) + `, 'installation' from installation_secrets) s
 group by key order by key`
	scan := func(row conn.Row) (c SecretCount, err error) {
		err = row.Scan(&c.Key, &c.Endpoints, &c.Forms, &c.Installation)
		return c, err
	}
	return conn.Collect(ctx, db, "count secrets", scan, q)
}

// CheckSecrets returns an error that names a key which stored secrets are sealed with and which is not configured: a
// process that went on could not sign deliveries. Of the installation's secret it only tells: forms go on without it. It
// warns of secrets in clear. A count that fails or takes too long keeps no process from starting.
func (db *DB) CheckSecrets(ctx context.Context, log *slog.Logger) error {
	return db.checkSecrets(ctx, log, db.keys())
}

// UseSecrets returns what seals and opens with the keys of a changed setting from then on, unless they lack one that
// stored secrets are sealed with: then the error says so, as that of CheckSecrets does, and nothing changes.
func (db *DB) UseSecrets(ctx context.Context, log *slog.Logger) func(setting string) error {
	return func(setting string) error {
		keys, err := secret.Parse(setting)
		if err != nil {
			return err
		}
		if err := db.checkSecrets(ctx, log, keys); err != nil {
			return err
		}
		db.secrets.Store(keys)
		return nil
	}
}

// keys returns the keys that secrets are sealed with now; nil: they are in clear.
func (db *DB) keys() *secret.Keyring { return db.secrets.Load() }

func (db *DB) checkSecrets(ctx context.Context, log *slog.Logger, keys *secret.Keyring) error {
	counts, err := db.CountSecrets(ctx)
	if err != nil {
		log.Warn("secrets not checked", "error", err.Error())
		return nil
	}
	for _, c := range counts {
		switch {
		case keys.Has(c.Key):
		case c.Endpoints+c.Forms == 0:
			log.Error("installation secret unreadable", "key", c.Key, "fallback", "forms go on without proof of browser",
				"do", "put the key back into LEADGATE_SECRET_KEYS")
		default:
			return fmt.Errorf("the secrets of %d endpoints and %d forms are sealed with the key %q, which "+
				"LEADGATE_SECRET_KEYS does not have: put it back, behind the key that is to be used", c.Endpoints, c.Forms, c.Key)
		}
	}
	switch {
	case keys == nil:
		log.Warn("secrets stored in clear", "do", "set LEADGATE_SECRET_KEYS")
	case len(counts) > 0 && counts[0].Key == "":
		log.Warn("secrets stored in clear", "endpoints", counts[0].Endpoints, "forms", counts[0].Forms,
			"installation", counts[0].Installation, "do", "gateway secrets rotate")
	}
	return nil
}
