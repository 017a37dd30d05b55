package admin

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/tenants"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/tenant"
)

const (
	workspacesPath = root + "workspaces"
	workspacePath  = workspacesPath + "/{ws}"
)

func (s *server) workspaceRoutes() []route {
	return []route{
		{"GET", workspacesPath, page, s.visited(workspacesPage), ""},
		{"POST", workspacesPath, page, s.visited(newWorkspace), ""},
		{"GET", workspacePath, page, s.visited(workspacePage), ""},
		{"POST", workspacePath, page, s.visited(changeLimits), ""},
		{"POST", workspacePath + "/chatbots", page, s.visited(newChatbot), ""},
		{"POST", workspacePath + "/keys", page, s.visited(newKey), ""},
		{"POST", workspacePath + "/keys/{key}/revoke", page, s.visited(endKey), ""},
		{"POST", workspacePath + "/console", page, s.visited(openConsole), ""},
	}
}

func workspacesPage(v *visit) error {
	text := strings.TrimSpace(v.r.URL.Query().Get("q"))
	found, limit, err := v.find(v.r, text, true)
	if err != nil {
		return err
	}
	next := ""
	if len(found) > limit {
		next = withCursor(v.r.URL, found[limit-1].ID)
		found = found[:limit]
	}
	return v.show("workspaces.html", "Workspaces", struct {
		Text, Next string
		Workspaces []workspaceView
	}{text, next, found})
}

// body makes JSON of a form's fields. Those of numbers are numbers where they can be read as one: what is wrong with
// another the API says. Empty ones are left out.
func (v *visit) body(texts, numbers []string) []byte {
	fields := map[string]any{}
	for _, name := range texts {
		if text := v.r.PostForm.Get(name); text != "" {
			fields[name] = text
		}
	}
	for _, name := range numbers {
		text := strings.TrimSpace(v.r.PostForm.Get(name))
		if n, err := strconv.Atoi(text); err == nil {
			fields[name] = n
		} else if text != "" {
			fields[name] = text
		}
	}
	if scopes := v.r.PostForm["scopes"]; len(scopes) > 0 {
		fields["scopes"] = scopes
	}
	text, _ := json.Marshal(fields) // texts and numbers
	return text
}

func newWorkspace(v *visit) error {
	made, err := v.tenantsOf(v.r).CreateWorkspace(v.r.Context(), v.body([]string{"name"}, []string{"rate", "burst"}))
	if err != nil {
		return v.again(err, workspacesPage)
	}
	return v.done(workspacesPath+"/"+id.Workspace.Format(made.ID), "created")
}

// onePage is what the page of one workspace shows.
type onePage struct {
	Workspace tenants.LimitsView
	Volume    *volumeView
	Keys      []tenants.KeyView
	Chatbots  []tenants.ChatbotView
	Full      bool // more keys or chatbots than are shown
	Scopes    []tenant.Scope
	Chosen    []string
}

// shown is how many keys and how many chatbots the page of a workspace shows.
const shown = 100

func workspacePage(v *visit) error {
	ws, err := workspace(v.r)
	if err != nil {
		return err
	}
	ctx, db := v.r.Context(), v.tenants.DB
	found, err := db.GetWorkspace(ctx, ws)
	if err != nil {
		return err
	}
	p := onePage{Workspace: tenants.ViewLimits(found), Scopes: tenant.Scopes(), Chosen: v.r.PostForm["scopes"]}
	if p.Chosen == nil {
		for _, scope := range tenant.DefaultScopes() {
			p.Chosen = append(p.Chosen, string(scope))
		}
	}
	volumes, err := v.volumes(ctx, []tenant.Workspace{found})
	if err != nil {
		return err
	}
	p.Volume = volumes[0]
	var fullKeys, fullChatbots bool
	if p.Keys, fullKeys, err = some(ctx, ws, db.ListKeys, tenants.ViewKey); err != nil {
		return err
	}
	if p.Chatbots, fullChatbots, err = some(ctx, ws, db.ListChatbots, tenants.ViewChatbot); err != nil {
		return err
	}
	p.Full = fullKeys || fullChatbots
	return v.show("workspace.html", p.Workspace.Name, p)
}

// some reads the first of what a workspace has, and whether there are others.
func some[T, V any](ctx context.Context, ws id.UUID, read func(ctx context.Context, ws, after id.UUID, limit int) ([]T,
	error), view func(T) V) (views []V, more bool, err error) {
	all, err := read(ctx, ws, id.UUID{}, shown+1)
	for _, one := range all[:min(len(all), shown)] {
		views = append(views, view(one))
	}
	return views, len(all) > shown, err
}

// changed leads back to the page of the workspace, which says what was done, or what was not taken.
func (v *visit) changed(err error, what string) error {
	if err != nil {
		return v.again(err, workspacePage)
	}
	return v.done(workspacesPath+"/"+mux.Vars(v.r)["ws"], what)
}

func changeLimits(v *visit) error {
	ws, err := workspace(v.r)
	if err == nil {
		_, err = v.tenantsOf(v.r).UpdateLimits(v.r.Context(), ws, v.body([]string{"name"}, []string{"rate", "burst"}))
	}
	return v.changed(err, "changed")
}

func newChatbot(v *visit) error {
	ws, err := workspace(v.r)
	if err == nil {
		_, err = v.tenantsOf(v.r).CreateChatbot(v.r.Context(), tenants.Operator(ws), v.body([]string{"name"}, nil))
	}
	return v.changed(err, "chatbot")
}

// secretPage shows a text once.
type secretPage struct {
	Workspace, Name, Text string
	Link                  bool // it opens the console
	Until, Ends           string
}

func newKey(v *visit) error {
	ws, err := workspace(v.r)
	if err != nil {
		return err
	}
	if len(v.r.PostForm["scopes"]) == 0 { // the API takes that as the default ones
		return v.again(fault.InvalidField("scopes", nil, "Choose what the key may do"), workspacePage)
	}
	made, text, err := v.tenantsOf(v.r).CreateKey(v.r.Context(), tenants.Operator(ws), v.body([]string{"name", "mode"}, nil))
	if err != nil {
		return v.again(err, workspacePage)
	}
	return v.show("secret.html", "New key", secretPage{Workspace: id.Workspace.Format(ws), Name: made.Name, Text: text})
}

func endKey(v *visit) error {
	by, key, err := workspaceKey(v.r)
	if err == nil {
		_, err = v.tenantsOf(v.r).RevokeKey(v.r.Context(), by, key)
	}
	return v.changed(err, "revoked")
}

// openConsole makes a link to the workspace's console in which nothing can be changed.
func openConsole(v *visit) error {
	ws, err := workspace(v.r)
	if err != nil {
		return err
	}
	const readOnly = `{"name":"The administrator","scopes":["` + string(tenant.LeadsRead) + `"],"expiresInSeconds":3600}`
	made, err := v.consoleLink(v.r, ws, []byte(readOnly))
	if err != nil {
		return v.again(err, workspacePage)
	}
	p := secretPage{Workspace: made.WorkspaceID, Text: made.URL, Link: true, Until: *made.LinkExpiresAt, Ends: made.ExpiresAt}
	return v.show("secret.html", "Open the console", p)
}
