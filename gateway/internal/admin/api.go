package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/tenants"
	"leadgate/shared/fault"
	"leadgate/shared/id"
)

const (
	maxBody     = 64 << 10
	defaultPage = 100
	maxPage     = 500
)

func (s *server) createWorkspace(w http.ResponseWriter, r *http.Request) error {
	body, err := httpx.ReadJSON(w, r, maxBody)
	if err != nil {
		return err
	}
	made, err := s.tenantsOf(r).CreateWorkspace(r.Context(), body)
	if err != nil {
		return err
	}
	httpx.AddLogField(r, "workspace", id.Workspace.Format(made.ID))
	return httpx.Data(w, http.StatusCreated, tenants.ViewLimits(made))
}

func (s *server) getWorkspace(w http.ResponseWriter, r *http.Request) error {
	ws, err := workspace(r)
	if err != nil {
		return err
	}
	found, err := s.tenants.DB.GetWorkspace(r.Context(), ws)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, tenants.ViewLimits(found))
}

func (s *server) updateWorkspace(w http.ResponseWriter, r *http.Request) error {
	ws, body, err := workspaceBody(w, r)
	if err != nil {
		return err
	}
	changed, err := s.tenantsOf(r).UpdateLimits(r.Context(), ws, body)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, tenants.ViewLimits(changed))
}

func (s *server) createChatbot(w http.ResponseWriter, r *http.Request) error {
	ws, body, err := workspaceBody(w, r)
	if err != nil {
		return err
	}
	made, err := s.tenantsOf(r).CreateChatbot(r.Context(), tenants.Operator(ws), body)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusCreated, tenants.ViewChatbot(made))
}

func (s *server) listChatbots(w http.ResponseWriter, r *http.Request) error {
	idOf := func(v tenants.ChatbotView) string { return v.ID }
	return listIn(s, w, r, id.Chatbot, s.tenants.DB.ListChatbots, tenants.ViewChatbot, idOf)
}

func (s *server) createKey(w http.ResponseWriter, r *http.Request) error {
	ws, body, err := workspaceBody(w, r)
	if err != nil {
		return err
	}
	made, text, err := s.tenantsOf(r).CreateKey(r.Context(), tenants.Operator(ws), body)
	if err != nil {
		return err
	}
	httpx.AddLogField(r, "key", id.Key.Format(made.ID))
	return httpx.Data(w, http.StatusCreated, tenants.ViewIssued(made, text))
}

func (s *server) listKeys(w http.ResponseWriter, r *http.Request) error {
	idOf := func(v tenants.KeyView) string { return v.ID }
	return listIn(s, w, r, id.Key, s.tenants.DB.ListKeys, tenants.ViewKey, idOf)
}

// rotateKey creates a key's successor. A request without a body takes the default overlap.
func (s *server) rotateKey(w http.ResponseWriter, r *http.Request) error {
	by, key, err := workspaceKey(r)
	if err != nil {
		return err
	}
	var body []byte
	if r.ContentLength != 0 {
		if body, err = httpx.ReadJSON(w, r, maxBody); err != nil {
			return err
		}
	}
	overlap, err := tenants.ReadOverlap(body)
	if err != nil {
		return err
	}
	old, err := s.tenants.GetKey(r.Context(), by, key)
	if err != nil {
		return err
	}
	made, text, err := s.tenantsOf(r).RotateKey(r.Context(), by, old, overlap)
	if err != nil {
		return err
	}
	httpx.AddLogField(r, "key", id.Key.Format(made.ID))
	return httpx.Data(w, http.StatusCreated, tenants.ViewIssued(made, text))
}

func (s *server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	by, key, err := workspaceKey(r)
	if err != nil {
		return err
	}
	revoked, err := s.tenantsOf(r).RevokeKey(r.Context(), by, key)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, tenants.ViewKey(revoked))
}

// workspace returns the {ws} of the path. A malformed id names no workspace, so it is NOT_FOUND as well.
func workspace(r *http.Request) (id.UUID, error) {
	ws, err := id.Workspace.Parse(mux.Vars(r)["ws"])
	if err != nil {
		return ws, fault.New(fault.NotFound, "Workspace not found")
	}
	httpx.AddLogField(r, "workspace", mux.Vars(r)["ws"])
	return ws, nil
}

// workspaceBody returns the {ws} of the path, and the body.
func workspaceBody(w http.ResponseWriter, r *http.Request) (ws id.UUID, body []byte, err error) {
	if ws, err = workspace(r); err == nil {
		body, err = httpx.ReadJSON(w, r, maxBody)
	}
	return ws, body, err
}

// workspaceKey returns the operator in the {ws} of the path, and the {key}.
func workspaceKey(r *http.Request) (by tenants.Actor, key id.UUID, err error) {
	ws, err := workspace(r)
	if err != nil {
		return by, key, err
	}
	if key, err = id.Key.Parse(mux.Vars(r)["key"]); err != nil {
		return by, key, fault.New(fault.NotFound, "API key not found")
	}
	return tenants.Operator(ws), key, nil
}

// paging reads ?limit= and ?cursor=, which is the id of the last row of the previous page.
func paging(r *http.Request, kind id.Prefix) (after id.UUID, limit int, err error) {
	var invalid []fault.Field
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // dropping what cannot be read would start again at the first page
		return after, 0, fault.InvalidField("query", fault.Truncate(r.URL.RawQuery), "Must be a URL-encoded query")
	}
	limit = defaultPage
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			rule := "Must be a whole number between 1 and " + strconv.Itoa(maxPage)
			invalid = append(invalid, fault.Field{Field: "limit", Value: fault.Truncate(text), Message: rule})
		}
	}
	if text := q.Get("cursor"); text != "" {
		if after, err = kind.Parse(text); err != nil {
			const rule = "Must be the nextCursor of an earlier answer of this list"
			invalid = append(invalid, fault.Field{Field: "cursor", Value: fault.Truncate(text), Message: rule})
		}
	}
	if invalid != nil {
		return after, limit, fault.Invalid(invalid)
	}
	return after, limit, nil
}

// list answers a page of all. When another page follows, all holds one more than limit.
func list[T, V any](w http.ResponseWriter, all []T, limit int, view func(T) V, cursor func(V) string) error {
	next := ""
	views := make([]V, 0, min(len(all), limit))
	for _, one := range all[:min(len(all), limit)] {
		views = append(views, view(one))
	}
	if len(all) > limit {
		next = cursor(views[limit-1])
	}
	return httpx.Page(w, views, next)
}

// listIn answers a page of what the workspace of the path has. NOT_FOUND when no workspace has the id: an empty list
// would mean that one has.
func listIn[T, V any](s *server, w http.ResponseWriter, r *http.Request, kind id.Prefix,
	read func(ctx context.Context, ws, after id.UUID, limit int) ([]T, error), view func(T) V,
	cursor func(V) string) error {
	ws, err := workspace(r)
	if err != nil {
		return err
	}
	if _, err := s.tenants.DB.GetWorkspace(r.Context(), ws); err != nil {
		return err
	}
	after, limit, err := paging(r, kind)
	if err != nil {
		return err
	}
	all, err := read(r.Context(), ws, after, limit+1)
	if err != nil {
		return err
	}
	return list(w, all, limit, view, cursor)
}
