package api

import (
	"cmp"
	"net/http"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

var keyFields = []string{"name", "kind", "mode", "scopes", "expiresAt", "form"}

const maxScope = 50 // characters

// createKey makes a key of the workspace or, in test mode, of its sandbox, which the first such key makes. The text of a secret key is in this
// answer and nowhere else.
func (a *api) createKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	k, err := a.readKey(r, p, body)
	if err != nil {
		return err
	}
	if err := mayGrant(p, k.Kind, k.Scopes); err != nil {
		return err
	}
	if k.Test && p.TestOf == (id.UUID{}) {
		sandbox := tenant.Workspace{ID: id.New(), TestOf: p.WorkspaceID, CreatedAt: k.CreatedAt}
		note := a.auditEntry(p, tenant.WorkspaceCreated, id.Workspace.Format(sandbox.ID), map[string]any{"mode": tenant.Test})
		if k.WorkspaceID, err = a.DB.EnsureSandbox(r.Context(), sandbox, note); err != nil {
			return err
		}
	}
	text, hash := k.Issue()
	shown := showIssued(k, text)
	details := map[string]any{"kind": k.Kind, "mode": shown.Mode, "scopes": shown.Scopes, "expiresAt": shown.ExpiresAt}
	if err := a.DB.CreateKey(r.Context(), k, hash, a.auditEntry(p, tenant.KeyCreated, shown.ID, details)); err != nil {
		return err
	}
	httpx.AddLogField(r, "made", shown.ID)
	locate(w, "/api/v1/keys/", shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

// readKey reads a new key. Its workspace is the one of p, or p's sandbox: zero where that is still to be made.
func (a *api) readKey(r *http.Request, p *tenant.Principal, body []byte) (k tenant.Key, err error) {
	test := p.TestOf != id.UUID{}
	k = tenant.Key{WorkspaceID: p.WorkspaceID, ID: id.New(), Kind: tenant.SecretKey, Test: test, CreatedAt: a.now()}
	var scopes []string
	var form *tenant.Form
	in := strictjson.NewReader(body, keyFields)
	named := false
	for in.Next() {
		switch in.Name() {
		case "name":
			k.Name, named = readName(in), true
		case "kind":
			k.Kind = cmp.Or(tenant.KeyKind(in.Choice([]string{string(tenant.SecretKey), string(tenant.PublishableKey)})), tenant.SecretKey)
		case "mode":
			if mode := in.Choice([]string{string(tenant.Live), string(tenant.Test)}); mode != "" {
				k.Test = mode == string(tenant.Test)
			}
		case "scopes":
			scopes = in.Texts(len(tenant.Scopes()), maxScope)
		case "expiresAt":
			k.ExpiresAt = readExpiry(in, k.CreatedAt, p.ExpiresAt)
		case "form":
			if in.Given() {
				f := tenant.ReadForm(in, tenant.Form{})
				form = &f
			}
		}
	}
	if !named {
		in.Require("name", nameRule)
	}
	k.EndsBy(p.ExpiresAt)
	in.Add(tenant.CheckForm(k.Kind, form != nil, scopes != nil)...)
	if k.Kind == tenant.PublishableKey {
		if k.Form = form; form == nil {
			k.Form = &tenant.Form{}
		}
	} else {
		var unknown []fault.Field
		k.Scopes, unknown = tenant.ParseScopes(scopes)
		in.Add(unknown...)
	}
	if k.Test && !test {
		if k.WorkspaceID, err = a.DB.Sandbox(r.Context(), p.WorkspaceID); err != nil {
			return k, err
		}
	}
	if err := a.checkFormChatbot(r.Context(), k.WorkspaceID, k.Form, in); err != nil {
		return k, err
	}
	if err := in.Err(); err != nil {
		return k, err
	}
	if test && !k.Test {
		return k, fault.New(fault.Forbidden, "A key of test data cannot make a key of live data")
	}
	return k, nil
}

// readExpiry reads when a key ends; nil: never. latest is when the key ends that makes it.
func readExpiry(in *strictjson.Reader, now time.Time, latest *time.Time) *time.Time {
	text, given := in.String(timeRule)
	if !given {
		return nil
	}
	at, ok := parseTime(text)
	if !ok {
		in.Refuse(timeRule)
		return nil
	}
	switch at = at.Truncate(time.Millisecond); {
	case tenant.TooSoon(at, now):
		in.Refuse(tenant.ExpiryRule)
	case latest != nil && at.After(*latest):
		in.Refuse("Must be no later than this API key's own end, " + stamp(*latest))
	}
	return &at
}
