package api

import (
	"net/http"
	"reflect"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

// updateKey changes a key's name and what its form does, as a JSON merge patch (RFC 7396). What a secret key may do cannot be changed:
// another key is made instead.
func (a *api) updateKey(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	k, err := a.keyNamed(r, p) // a wrong address is told before a wrong body
	if err != nil {
		return err
	}
	body, err := httpx.ReadJSON(w, r, maxBody, "application/merge-patch+json")
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
	note := a.note(p, "", showKey(k).ID, nil)
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
