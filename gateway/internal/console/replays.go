package console

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gorilla/mux"

	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

const replaysPath = Root + "/replays"

func replayRoutes() []route {
	const scope = tenant.WebhooksManage
	return []route{
		{"GET", replaysPath, scope, replays, []string{"GET /api/v1/replays", "GET /api/v1/replays/{id}"}, nil},
		{"POST", replaysPath, scope, createReplay, []string{"POST /api/v1/replays"}, replays},
		{"POST", replaysPath + "/{id}/cancel", scope, cancelReplay, []string{"POST /api/v1/replays/{id}/cancel"}, replays},
	}
}

type replay struct {
	ID, State, EndpointID, EventType, LeadID, From, Until, CreatedAt, FinishedAt string
	States                                                                       []string
	Rate, Resent, Total                                                          int // of no total it is 0
	Progress                                                                     *float64
}

// Percent is how much of it is done, of 100; nil: nobody knows.
func (r replay) Percent() *int {
	if r.Progress == nil {
		return nil
	}
	return new(int(100 * *r.Progress))
}

var replayTags = map[string]tag{string(webhook.ReplayRunning): {"warn", "Runs"}, string(webhook.ReplayDone): {"good", "Done"},
	string(webhook.ReplayCancelled): {"", "Cancelled"}}

// Tag is its state in a word.
func (r replay) Tag() tag { return replayTags[r.State] }

type replaysPage struct {
	Replays   []replay
	Running   bool
	Next      string
	Endpoints []endpoint
	Types     []string
	Form      url.Values
	hosts     map[string]endpoint
}

// Endpoint is the endpoint of an id.
func (p replaysPage) Endpoint(id string) endpoint { return p.hosts[id] }

// replays lists replays, with the form of a new one.
func replays(v *visit) error {
	p := replaysPage{Types: webhook.EventTypes(), hosts: map[string]endpoint{}, Form: v.form}
	if p.Form == nil {
		p.Form = url.Values{"states": {string(webhook.Exhausted), string(webhook.Held)},
			"endpointId": v.r.URL.Query()["endpointId"]}
	}
	if err := v.get("/api/v1/webhooks", nil, &p.Endpoints); err != nil {
		return err
	}
	for _, e := range p.Endpoints {
		p.hosts[e.ID] = e
	}
	next, err := v.list("/api/v1/replays", pick(v.r.URL.Query(), "cursor"), &p.Replays)
	if err != nil {
		return err
	}
	if next != "" {
		p.Next = replaysPath + "?" + url.Values{"cursor": {next}}.Encode()
	}
	p.Running = slices.ContainsFunc(p.Replays, func(r replay) bool { return r.State == string(webhook.ReplayRunning) })
	return v.show("replays.html", "Replays", p)
}

func createReplay(v *visit) error {
	f := v.r.PostForm
	body := map[string]any{"states": append([]string{}, given(f, "states")...)}
	for _, name := range []string{"endpointId", "eventType", "leadId", "from", "until", "rate"} {
		switch text := f.Get(name); {
		case text == "":
		case name == "rate":
			body[name] = numberOrText(text)
		case name == "from", name == "until":
			body[name] = utcTime(text)
		default:
			body[name] = text
		}
	}
	if err := v.send(http.MethodPost, "/api/v1/replays", body, nil); err != nil {
		return err
	}
	return v.done(replaysPath, "The replay has begun.")
}

func cancelReplay(v *visit) error {
	path := "/api/v1/replays/" + url.PathEscape(mux.Vars(v.r)["id"]) + "/cancel"
	if err := v.send(http.MethodPost, path, nil, nil); err != nil {
		return err
	}
	return v.done(replaysPath, "The replay was cancelled. What was sent again stays sent.")
}
