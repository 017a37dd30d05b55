package admin

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/gateway/internal/webui"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// maxFailing is how many failing endpoints are listed.
const maxFailing = 200

// failingEndpoint is an endpoint that fails, as JSON and for a page. Of its URL it has the host alone: the rest may be a
// secret of its owner.
type failingEndpoint struct {
	WorkspaceID    string  `json:"workspaceId"`
	WorkspaceName  string  `json:"workspaceName"`
	EndpointID     string  `json:"endpointId"`
	Host           string  `json:"host"`
	Description    string  `json:"description"`
	State          string  `json:"state"`          // failing: sent to all the same; open: only probed; disabled: gets nothing
	DisabledReason *string `json:"disabledReason"` // failing or gone; null: it is enabled
	FailingSince   string  `json:"failingSince"`
	Failures       int     `json:"failures"`
	LastError      string  `json:"lastError"`
	Waiting        int     `json:"waiting"`       // counted to 1,000
	NextAttemptAt  *string `json:"nextAttemptAt"` // null: nothing waits
}

func viewFailing(f pg.FailingEndpoint) failingEndpoint {
	v := failingEndpoint{
		WorkspaceID: id.Workspace.Format(f.Workspace), WorkspaceName: f.WorkspaceName,
		EndpointID: id.Endpoint.Format(f.Endpoint), Host: webhook.Host(f.URL), Description: f.Description, State: "failing",
		FailingSince: stamp(f.Since), Failures: f.Failures, LastError: f.LastError, Waiting: f.Waiting,
	}
	if f.Open {
		v.State = "open"
	}
	if f.Disabled != nil {
		v.State, v.DisabledReason = "disabled", &f.Disabled.Reason
	}
	if f.NextAt != nil && f.Disabled == nil {
		at := stamp(*f.NextAt)
		v.NextAttemptAt = &at
	}
	return v
}

func stamp(at time.Time) string { return at.UTC().Format(lead.TimeFormat) }

// tag is a word and the class of its colour.
type tag struct{ Class, Word string }

// Tag is the state in a word.
func (f failingEndpoint) Tag() tag {
	switch f.State {
	case "disabled":
		return tag{"bad", "Stopped"}
	case "open":
		return tag{"bad", "Fails, one try at a time"}
	}
	return tag{"warn", "Fails"}
}

// Why is why its last attempt failed.
func (f failingEndpoint) Why() string {
	if f.DisabledReason != nil && *f.DisabledReason == webhook.DisabledGone {
		return "the server said that it wants nothing more"
	}
	return webui.FailureWords(f.LastError, "the server")
}

// NextTry is when the next delivery is tried; "" when none is.
func (f failingEndpoint) NextTry() string {
	if f.NextAttemptAt == nil {
		return ""
	}
	return *f.NextAttemptAt
}

func (s *server) failing(r *http.Request, limit int) (views []failingEndpoint, err error) {
	all, err := s.tenants.DB.FailingEndpoints(r.Context(), limit)
	views = make([]failingEndpoint, 0, len(all))
	for _, f := range all {
		views = append(views, viewFailing(f))
	}
	return views, err
}

func (s *server) listFailing(w http.ResponseWriter, r *http.Request) error {
	all, err := s.failing(r, maxFailing)
	if err != nil {
		return err
	}
	return httpx.Page(w, all, "")
}

// probe has one delivery tried now, whatever the endpoint's breaker says.
func (s *server) probe(r *http.Request) (waiting int, err error) {
	ws, err := workspace(r)
	if err != nil {
		return 0, err
	}
	endpoint, err := id.Endpoint.Parse(mux.Vars(r)["endpoint"])
	if err != nil {
		return 0, fault.New(fault.NotFound, "Webhook endpoint not found")
	}
	httpx.AddLogField(r, "endpoint", id.Endpoint.Format(endpoint))
	e, err := s.tenants.DB.GetEndpoint(r.Context(), ws, endpoint)
	if err != nil {
		return 0, err
	}
	if !e.Enabled {
		return 0, fault.New(fault.Conflict, "The endpoint is disabled, so nothing is sent to it: its owner can enable it")
	}
	if ok, err := s.tenants.DB.IsActive(r.Context(), ws); err != nil {
		return 0, err
	} else if !ok {
		return 0, fault.New(fault.Conflict, "The workspace is suspended, so nothing is sent for it")
	}
	b, err := s.tenants.DB.EndpointBacklog(r.Context(), ws, endpoint)
	if err != nil {
		return 0, err
	}
	if b.Waiting == 0 {
		return 0, fault.New(fault.Conflict, "Nothing waits for the endpoint, so there is nothing to try it with")
	}
	if err := s.waker.RunProbeTask(r.Context(), task.Drain(ws, endpoint)); err != nil {
		return 0, fault.StoreUnavailable(err, time.Second)
	}
	return b.Waiting, nil
}

func (s *server) probeEndpoint(w http.ResponseWriter, r *http.Request) error {
	waiting, err := s.probe(r)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusAccepted, struct {
		EndpointID string `json:"endpointId"`
		Waiting    int    `json:"waiting"`
	}{mux.Vars(r)["endpoint"], waiting})
}

const failingPath = root + "failing"

func failingPage(v *visit) error {
	all, err := v.failing(v.r, maxFailing)
	if err != nil {
		return err
	}
	return v.show("failing.html", "Failing webhooks", struct {
		Endpoints []failingEndpoint
		Full      bool
	}{all, len(all) == maxFailing})
}

func probeForm(v *visit) error {
	if _, err := v.probe(v.r); err != nil {
		return v.again(err, failingPage)
	}
	return v.done(failingPath, "probed")
}
