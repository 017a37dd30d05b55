package admin

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
)

const (
	maxBody     = 64 << 10
	defaultPage = 100
	maxPage     = 500
	maxScope    = 50 // characters
)

func (s *server) createWorkspace(w http.ResponseWriter, r *http.Request) error {
	d, err := readWorkspace(w, r, true)
	if err != nil {
		return err
	}
	made, err := s.tenants.CreateWorkspace(r.Context(), d)
	if err != nil {
		return err
	}
	httpx.AddLogField(r, "workspace", id.Workspace.Format(made.ID))
	return httpx.Data(w, http.StatusCreated, ViewWorkspace(made))
}

func (s *server) listWorkspaces(w http.ResponseWriter, r *http.Request) error {
	after, limit, err := paging(r, id.Workspace)
	if err != nil {
		return err
	}
	all, err := s.tenants.DB.ListWorkspaces(r.Context(), after, limit+1)
	if err != nil {
		return err
	}
	return list(w, all, limit, ViewWorkspace, func(v WorkspaceView) string { return v.ID })
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
	return httpx.Data(w, http.StatusOK, ViewWorkspace(found))
}

func (s *server) updateWorkspace(w http.ResponseWriter, r *http.Request) error {
	ws, err := workspace(r)
	if err != nil {
		return err
	}
	d, err := readWorkspace(w, r, false)
	if err != nil {
		return err
	}
	now, err := s.tenants.UpdateWorkspace(r.Context(), ws, d)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, ViewWorkspace(now))
}

// readWorkspace reads a workspace's fields. 0 and [] mean the default; what is absent or null stays as it is.
func readWorkspace(w http.ResponseWriter, r *http.Request, create bool) (d WorkspaceDraft, err error) {
	body, err := httpx.ReadJSON(w, r, maxBody)
	if err != nil {
		return d, err
	}
	in := strictjson.NewReader(body, []string{"name", "rate", "burst", "statuses", "retrySchedule"})
	for in.Next() {
		if !in.Given() {
			continue
		}
		switch in.Name() {
		case "name":
			d.Name = readName(in)
		case "rate":
			n := in.Integer(0, tenant.MaxRate)
			d.Rate = &n
		case "burst":
			n := in.Integer(0, 10*tenant.MaxRate)
			d.Burst = &n
		case "statuses":
			all := in.Texts(tenant.MaxStatuses, tenant.MaxStatus)
			in.Add(tenant.Settings{Statuses: all}.Check()...)
			d.Statuses = &all
		case "retrySchedule":
			waits := in.Integers(tenant.MaxAttempts, 0, tenant.MaxWait)
			in.Add(tenant.Settings{RetrySchedule: waits}.Check()...)
			d.RetrySchedule = &waits
		}
	}
	if create {
		in.Require("name", "Required")
	}
	return d, in.Err()
}

// readName reads a name and tells its mistakes; nil when it is null.
func readName(in *strictjson.Reader) *string {
	name, given := in.String("Must be a string")
	if !given {
		return nil
	}
	in.Add(checkName(name)...)
	return &name
}

func (s *server) createChatbot(w http.ResponseWriter, r *http.Request) error {
	ws, err := workspace(r)
	if err != nil {
		return err
	}
	body, err := httpx.ReadJSON(w, r, maxBody)
	if err != nil {
		return err
	}
	var name *string
	in := strictjson.NewReader(body, []string{"name"})
	for in.Next() {
		name = readName(in)
	}
	in.Require("name", "Required")
	if err := in.Err(); err != nil {
		return err
	}
	made, err := s.tenants.CreateChatbot(r.Context(), ws, *name)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusCreated, ViewChatbot(made))
}

func (s *server) listChatbots(w http.ResponseWriter, r *http.Request) error {
	ws, err := s.existing(r)
	if err != nil {
		return err
	}
	after, limit, err := paging(r, id.Chatbot)
	if err != nil {
		return err
	}
	all, err := s.tenants.DB.ListChatbots(r.Context(), ws, after, limit+1)
	if err != nil {
		return err
	}
	return list(w, all, limit, ViewChatbot, func(v ChatbotView) string { return v.ID })
}

// workspace is the {ws} of the path. A malformed id names nothing, so it is NOT_FOUND as well.
func workspace(r *http.Request) (id.UUID, error) {
	ws, err := id.Workspace.Parse(mux.Vars(r)["ws"])
	if err != nil {
		return ws, fault.New(fault.NotFound, "Workspace not found")
	}
	httpx.AddLogField(r, "workspace", mux.Vars(r)["ws"])
	return ws, nil
}

// existing is workspace, and NOT_FOUND where there is none: an empty list would say that there is.
func (s *server) existing(r *http.Request) (id.UUID, error) {
	ws, err := workspace(r)
	if err != nil {
		return ws, err
	}
	_, err = s.tenants.DB.GetWorkspace(r.Context(), ws)
	return ws, err
}

// paging reads ?limit= and ?cursor=, the id where the last page ended.
func paging(r *http.Request, kind id.Prefix) (after id.UUID, limit int, err error) {
	var wrong []fault.Field
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // leaving out what cannot be read would start again at the first page
		return after, 0, fault.InvalidField("query", fault.Truncate(r.URL.RawQuery), "Must be a URL-encoded query")
	}
	limit = defaultPage
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPage {
			wrong = append(wrong, fault.Field{Field: "limit", Value: fault.Truncate(text), Message: "Must be a whole number between 1 and " + strconv.Itoa(maxPage)})
		}
	}
	if text := q.Get("cursor"); text != "" {
		if after, err = kind.Parse(text); err != nil {
			wrong = append(wrong, fault.Field{Field: "cursor", Value: fault.Truncate(text), Message: "Must be the nextCursor of the page before"})
		}
	}
	return after, limit, invalid(wrong)
}

// list answers a page of all, of which there is one more than limit when another page follows.
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

// moment reads an RFC 3339 time; nil when it is null or wrong.
func moment(in *strictjson.Reader) *time.Time {
	const rule = "Must be a time such as 2030-01-31T12:00:00Z"
	text, given := in.String(rule)
	if !given {
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() > 9999 {
		in.Refuse(rule)
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
