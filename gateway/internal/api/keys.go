package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// key is an API key as the API shows it.
type key struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Kind        tenant.KeyKind `json:"kind"`
	Mode        tenant.Mode    `json:"mode"`
	Hint        string         `json:"hint"`
	Scopes      []tenant.Scope `json:"scopes"`
	Secret      string         `json:"secret,omitempty"` // of a secret key, only in the answer that makes it
	Key         string         `json:"key,omitempty"`    // of a publishable key
	Form        *keyForm       `json:"form,omitempty"`   // the same
	WorkspaceID string         `json:"workspaceId"`
	CreatedAt   string         `json:"createdAt"`
	ExpiresAt   *string        `json:"expiresAt"`
	RevokedAt   *string        `json:"revokedAt"`
	LastUsedAt  *string        `json:"lastUsedAt"`
}

// keyForm is a form with its defaults filled in and without what is secret of it.
type keyForm struct {
	tenant.Form
	HasCaptchaSecret bool `json:"hasCaptchaSecret"`
}

func showKey(k tenant.Key) key {
	shown := key{
		ID: id.Key.Format(k.ID), Name: k.Name, Kind: k.Kind, Mode: tenant.ModeOf(k.Test), Hint: k.Hint, Scopes: append([]tenant.Scope{}, k.Scopes...), Key: k.Public,
		WorkspaceID: id.Workspace.Format(k.WorkspaceID), CreatedAt: stamp(k.CreatedAt),
		ExpiresAt: optionalStamp(k.ExpiresAt), RevokedAt: optionalStamp(k.RevokedAt), LastUsedAt: optionalStamp(k.LastUsedAt),
	}
	if k.Form != nil {
		shown.Form = &keyForm{k.Form.Filled(), k.Form.CaptchaSecret != ""}
		shown.Form.CaptchaSecret = ""
	}
	return shown
}

// showIssued is showKey with the text the key was just given.
func showIssued(k tenant.Key, text string) key {
	shown := showKey(k)
	if k.Kind == tenant.SecretKey {
		shown.Secret = text
	}
	return shown
}

// keyNamed returns the key the path names, of the workspace or of its sandbox. A key of test data has no sandbox, so live keys are unknown to it.
func (a *api) keyNamed(r *http.Request, p *tenant.Principal) (k tenant.Key, err error) {
	wanted, err := pathID(r, id.Key)
	if err != nil {
		return k, err
	}
	return a.DB.GetManagedKey(r.Context(), p.WorkspaceID, wanted)
}

// mayGrant is FORBIDDEN where p would get, or give, more than it has by making a key or learning its text: a scope it lacks,
// or a form, which makes leads.
func mayGrant(p *tenant.Principal, kind tenant.KeyKind, scopes []tenant.Scope) error {
	if kind == tenant.PublishableKey {
		scopes = []tenant.Scope{tenant.LeadsWrite}
	}
	var lacking []tenant.Scope
	for _, s := range scopes {
		if !p.May(s) {
			lacking = append(lacking, s)
		}
	}
	switch {
	case len(lacking) == 0:
		return nil
	case kind == tenant.PublishableKey:
		return fault.New(fault.Forbidden, "This API key lacks the scope "+string(tenant.LeadsWrite)+", without which it cannot manage publishable keys")
	}
	return fault.New(fault.Forbidden, "This API key cannot grant scopes that it lacks: "+strings.Join(texts(lacking), ", "))
}

// checkFormChatbot adds a mistake when a form that is read names a chatbot that its workspace does not have; a zero workspace has none.
func (a *api) checkFormChatbot(ctx context.Context, workspace id.UUID, f *tenant.Form, in *strictjson.Reader) error {
	if f == nil || f.ChatbotID == "" {
		return nil
	}
	chatbot, err := id.Chatbot.Parse(f.ChatbotID)
	if err != nil {
		return nil // told already
	}
	missing, err := a.DB.MissingChatbots(ctx, workspace, []id.UUID{chatbot})
	if err == nil && slices.Contains(missing, chatbot) {
		in.Add(fault.Field{Field: "form.chatbotId", Pointer: "/form/chatbotId", Value: f.ChatbotID, Message: "Must be a chatbot of the workspace the key is for; test data has chatbots of its own"})
	}
	return err
}

// listKeys answers the keys of the workspace and of its sandbox, live or not, newest first.
func (a *api) listKeys(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	idOf := func(k tenant.Key) id.UUID { return k.ID }
	return list(id.Key, a.DB.ListManagedKeys, showKey, idOf)(w, r, p)
}

func (a *api) getKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	return get(id.Key, a.DB.GetManagedKey, showKey)(w, r, p)
}

// rotateKey makes a key that may do what another may and lives as long as that was made to live, but no longer than the key that asks;
// both work until the overlap is over.
// A request without a body takes the default overlap.
func (a *api) rotateKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	old, err := a.keyNamed(r, p)
	if err != nil {
		return err
	}
	overlap := tenant.DefaultOverlap
	body, err := readOptional(w, r)
	if err != nil {
		return err
	}
	if body != nil {
		in := strictjson.NewReader(body, []string{"overlapSeconds"})
		for in.Next() {
			if in.Given() {
				overlap = time.Duration(in.Integer(0, int(tenant.MaxOverlap/time.Second))) * time.Second
			}
		}
		if err := in.Err(); err != nil {
			return err
		}
	}
	if err := mayGrant(p, old.Kind, old.Scopes); err != nil { // whoever asks learns the new text
		return err
	}
	next := old.Successor(a.now())
	next.ID = id.New()
	next.EndsBy(p.ExpiresAt)
	text, hash := next.Issue()
	shown := showIssued(next, text)
	details := map[string]any{"next": shown.ID, "mode": shown.Mode, "overlapSeconds": int(overlap / time.Second)}
	if err := a.DB.RotateKey(r.Context(), old.WorkspaceID, old.ID, next.CreatedAt.Add(overlap), next, hash, a.auditEntry(p, tenant.KeyRotated, id.Key.Format(old.ID), details)); err != nil {
		return err
	}
	httpx.AddLogField(r, "made", shown.ID)
	locate(w, "/api/v1/keys/", shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

// revokeKey ends a key for ever, within a second; again it changes nothing. A key may revoke itself: the operator can make another.
func (a *api) revokeKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	k, err := a.keyNamed(r, p)
	if err != nil {
		return err
	}
	note := a.auditEntry(p, tenant.KeyRevoked, id.Key.Format(k.ID), map[string]any{"mode": tenant.ModeOf(k.Test)})
	if err := a.DB.RevokeKey(r.Context(), k.WorkspaceID, k.ID, note.CreatedAt, note); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// updateKey changes a key's name and what its form does, as a JSON merge patch (RFC 7396). What a secret key may do cannot be changed:
// another key is made instead.
func (a *api) updateKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	k, err := a.keyNamed(r, p) // a wrong address is told before a wrong body
	if err != nil {
		return err
	}
	body, err := readPatch(w, r)
	if err != nil {
		return err
	}
	patched := k
	in := readKeyPatch(body, &patched)
	if err := a.checkFormChatbot(r.Context(), k.WorkspaceID, patched.Form, in); err != nil {
		return err
	}
	if err := in.Err(); err != nil {
		return err
	}
	note := a.auditEntry(p, "", showKey(k).ID, nil)
	k, err = a.DB.UpdateKey(r.Context(), k.WorkspaceID, k.ID, func(k *tenant.Key) error {
		before := *k
		if err := readKeyPatch(body, k).Err(); err != nil { // over the key as it is now
			return err
		}
		var fields []string
		if k.Name != before.Name {
			fields = append(fields, "name")
		}
		if !reflect.DeepEqual(before.Form, k.Form) {
			if err := mayGrant(p, tenant.PublishableKey, nil); err != nil {
				return err
			}
			fields = append(fields, "form")
		}
		if fields != nil {
			note.Action, note.Details = tenant.KeyUpdated, map[string]any{"fields": fields, "mode": tenant.ModeOf(k.Test)}
		}
		return nil
	}, note)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, showKey(k))
}

// readKeyPatch reads a patch over k, whose form it replaces and leaves as it is.
func readKeyPatch(body []byte, k *tenant.Key) *strictjson.Reader {
	in := strictjson.NewReader(body, []string{"name", "form"})
	for in.Next() {
		switch in.Name() {
		case "name":
			if name := readName(in); name != "" {
				k.Name = name
			}
		case "form":
			in.Add(tenant.CheckForm(k.Kind, in.Given(), false)...)
			if k.Kind != tenant.PublishableKey {
				continue
			}
			f := tenant.Form{}
			if in.Given() {
				if k.Form != nil {
					f = *k.Form
				}
				f = tenant.ReadForm(in, f)
			}
			k.Form = &f
		}
	}
	return in
}
