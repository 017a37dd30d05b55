package api

import (
	"net/http"
	"slices"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/task"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// updateWebhook changes the fields that are given, as a JSON merge patch (RFC 7396), and answers the endpoint as it is
// then.
func (a *api) updateWebhook(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	e, err := a.endpoint(r, p) // a wrong address is told before a wrong body
	if err != nil {
		return err
	}
	body, err := readPatch(w, r)
	if err != nil {
		return err
	}
	d, deliverHeld, err := a.readWebhookPatch(r, p, body)
	if err != nil {
		return err
	}
	var replay *webhook.Replay
	if deliverHeld {
		replay = heldReplay(e, d.now)
	}
	var before webhook.Endpoint
	e, err = a.DB.UpdateEndpoint(r.Context(), p.WorkspaceID, e.ID, d.now, func(e *webhook.Endpoint) error {
		before = *e
		wrong := d.apply(e)
		if deliverHeld && !e.Enabled {
			wrong = append(wrong, fault.Field{Field: "deliverHeld", Pointer: "/deliverHeld", Value: true,
				Message: "Must be given together with \"enabled\": true, because the endpoint is disabled"})
		}
		if len(wrong) > 0 {
			return fault.Invalid(wrong)
		}
		return mayHandle(p, before, *e)
	}, replay)
	if err != nil {
		return err
	}
	shown := a.showWebhook(e)
	httpx.AddLogField(r, "endpoint", shown.ID)
	if replay != nil {
		shown.ReplayID = id.Replay.Format(replay.ID)
		a.wake(r, task.Replay(p.WorkspaceID, replay.ID))
	}
	if e.Enabled && (!before.Enabled || e.URL != before.URL) {
		a.wake(r, task.Drain(p.WorkspaceID, e.ID)) // what was not held yet, or waited for the former URL
	}
	if !e.Enabled {
		a.Waker.RemoveProbeTask(task.Drain(p.WorkspaceID, e.ID))
	}
	return httpx.Data(w, http.StatusOK, shown)
}

// readWebhookPatch reads what is to change.
func (a *api) readWebhookPatch(r *http.Request, p *tenant.Principal, body []byte) (d edit, deliverHeld bool,
	err error) {
	d.now = a.now()
	in := strictjson.NewReader(body, slices.Concat(webhookFields, []string{"deliverHeld"}, secretFields))
	in.Hide(secretFields...)
	for in.Next() {
		switch in.Name() {
		case "deliverHeld":
			deliverHeld = in.Bool()
		case "secret", "signature":
			in.Add(fault.Field{Field: in.Name(), Pointer: "/" + in.Name(),
				Message: "Must be changed by POST /api/v1/webhooks/{id}/rotate-secret"})
		case "url":
			if !in.Given() {
				in.Refuse(urlRule)
			}
			fallthrough
		default:
			d.read(in, a.WebhookURL)
		}
	}
	if err := a.checkChatbots(r.Context(), p, in, &d); err != nil {
		return d, false, err
	}
	return d, deliverHeld, in.Err()
}

// heldReplay sends again what an endpoint missed while it was disabled.
func heldReplay(e webhook.Endpoint, now time.Time) *webhook.Replay {
	return &webhook.Replay{
		WorkspaceID: e.WorkspaceID, ID: id.New(), Filter: webhook.Filter{EndpointID: e.ID,
			States: []webhook.State{webhook.Held}},
		Rate: webhook.MaxReplayRate, State: webhook.ReplayRunning, CreatedAt: now, UpdatedAt: now,
	}
}

// wake tells workers of work now. Without Redis they hear of it from the sweep, so a failure is only noted.
func (a *api) wake(r *http.Request, k task.Key) {
	if err := a.Waker.Wake(r.Context(), []task.Key{k}); err != nil {
		httpx.AddLogField(r, "wake", err.Error())
	}
}
