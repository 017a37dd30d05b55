package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

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

// keyNamed returns the key the path names, of the workspace or of its twin. A key of test data has no twin, so live keys are unknown to it.
func (a *api) keyNamed(r *http.Request, p *tenant.Principal) (k tenant.Key, err error) {
	wanted, err := pathID(mux.Vars(r)["id"], id.Key, "API key")
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
	return fault.New(fault.Forbidden, "This API key cannot grant scopes that it lacks: "+join(lacking, ", "))
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
