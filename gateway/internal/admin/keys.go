package admin

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

func (s *server) createKey(w http.ResponseWriter, r *http.Request) error {
	ws, err := workspace(r)
	if err != nil {
		return err
	}
	body, err := httpx.ReadJSON(w, r, maxBody)
	if err != nil {
		return err
	}
	d, err := s.readKey(body)
	if err != nil {
		return err
	}
	made, secret, err := s.tenants.CreateKey(r.Context(), ws, d)
	if err != nil {
		return err
	}
	httpx.AddLogField(r, "key", id.Key.Format(made.ID))
	return httpx.Data(w, http.StatusCreated, ViewKey(made, secret))
}

func (s *server) readKey(body []byte) (d KeyDraft, err error) {
	var name *string
	in := strictjson.NewReader(body, []string{"name", "kind", "mode", "scopes", "expiresAt", "form"})
	for in.Next() {
		switch in.Name() {
		case "name":
			name = readName(in)
		case "kind":
			d.Kind = tenant.KeyKind(in.Choice([]string{string(tenant.SecretKey), string(tenant.PublishableKey)}))
		case "mode":
			d.Test = in.Choice([]string{string(tenant.Live), string(tenant.Test)}) == string(tenant.Test)
		case "form":
			if in.Given() {
				f := tenant.ReadForm(in, tenant.Form{})
				d.Form = &f
			}
		case "scopes":
			d.Scopes = in.Texts(len(tenant.Scopes()), maxScope)
			_, wrong := tenant.ParseScopes(d.Scopes)
			in.Add(wrong...)
		case "expiresAt":
			d.ExpiresAt = moment(in)
			if d.ExpiresAt != nil && tenant.TooSoon(*d.ExpiresAt, s.tenants.now()) {
				in.Refuse(tenant.ExpiryRule)
			}
		}
	}
	in.Require("name", "Required")
	in.Add(tenant.CheckForm(d.Kind, d.Form != nil, d.Scopes != nil)...)
	if err := in.Err(); err != nil {
		return d, err
	}
	d.Name = *name
	return d, nil
}

func (s *server) listKeys(w http.ResponseWriter, r *http.Request) error {
	ws, err := s.existing(r)
	if err != nil {
		return err
	}
	before, limit, err := paging(r, id.Key)
	if err != nil {
		return err
	}
	all, err := s.tenants.DB.ListKeys(r.Context(), ws, before, limit+1)
	if err != nil {
		return err
	}
	view := func(k tenant.Key) KeyView { return ViewKey(k, "") }
	return list(w, all, limit, view, func(v KeyView) string { return v.ID })
}

// rotateKey makes a successor. A request without a body takes the default overlap.
func (s *server) rotateKey(w http.ResponseWriter, r *http.Request) error {
	ws, key, err := workspaceKey(r)
	if err != nil {
		return err
	}
	overlap := DefaultOverlap
	if r.ContentLength != 0 {
		body, err := httpx.ReadJSON(w, r, maxBody)
		if err != nil {
			return err
		}
		in := strictjson.NewReader(body, []string{"overlapSeconds"})
		for in.Next() {
			if !in.Given() {
				continue
			}
			overlap = time.Duration(in.Integer(0, int(MaxOverlap.Seconds()))) * time.Second
		}
		if err := in.Err(); err != nil {
			return err
		}
	}
	made, secret, err := s.tenants.RotateKey(r.Context(), ws, key, overlap)
	if err != nil {
		return err
	}
	httpx.AddLogField(r, "key", id.Key.Format(made.ID))
	return httpx.Data(w, http.StatusCreated, ViewKey(made, secret))
}

func (s *server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	ws, key, err := workspaceKey(r)
	if err != nil {
		return err
	}
	if err := s.tenants.RevokeKey(r.Context(), ws, key); err != nil {
		return err
	}
	now, err := s.tenants.DB.GetKey(r.Context(), ws, key)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, ViewKey(now, ""))
}

func workspaceKey(r *http.Request) (ws, key id.UUID, err error) {
	if ws, err = workspace(r); err != nil {
		return ws, key, err
	}
	if key, err = id.Key.Parse(mux.Vars(r)["key"]); err != nil {
		return ws, key, fault.New(fault.NotFound, "API key not found")
	}
	return ws, key, nil
}
