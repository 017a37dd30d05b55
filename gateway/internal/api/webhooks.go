package api

import (
	"bytes"
	"cmp"
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

// createWebhook answers the endpoint with its signing secret, which is shown this once.
func (a *api) createWebhook(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := readJSON(w, r)
	if err != nil {
		return err
	}
	e, err := a.readWebhook(r, p, body)
	if err != nil {
		return err
	}
	if err := mayHandle(p, e); err != nil {
		return err
	}
	if err := a.DB.CreateEndpoint(r.Context(), e); err != nil {
		return err
	}
	shown := a.showWebhook(e)
	shown.Secret = e.Secret
	httpx.AddLogField(r, "endpoint", shown.ID)
	locate(w, "/api/v1/webhooks/", shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

// readWebhook reads a new endpoint.
func (a *api) readWebhook(r *http.Request, p *tenant.Principal, body []byte) (e webhook.Endpoint, err error) {
	now := a.now()
	e = webhook.Endpoint{
		WorkspaceID: p.WorkspaceID, ID: id.New(), EventTypes: defaultEventTypes(), Headers: map[string]string{},
		Payload:     webhook.PayloadFull,
		MaxInFlight: webhook.DefaultInFlight, Timeout: webhook.DefaultTimeout, Enabled: true, CreatedAt: now, UpdatedAt: now,
	}
	d := edit{now: now}
	var s secretDraft
	in := strictjson.NewReader(body, slices.Concat(webhookFields, secretFields))
	for in.Next() {
		if !s.read(in) {
			d.read(in, a.WebhookURL)
		}
	}
	in.Require("url", urlRule)
	if err := a.checkChatbots(r.Context(), p, in, &d); err != nil {
		return e, err
	}
	in.Add(d.apply(&e)...)
	s.check(in)
	e.Secret = s.make(webhook.SignatureHMAC)
	return e, in.Err()
}

// secretFields are the fields about signing, of a new endpoint and of a rotation.
var secretFields = []string{"secret", "signature"}

// secretDraft is a secret to be used or made.
type secretDraft struct {
	secret    string // the caller's own; "": make one
	signature string // "": as the secret has it, or the default
}

// read reads the current member if it is one of secretFields.
func (s *secretDraft) read(r *strictjson.Reader) bool {
	switch r.Name() {
	case "secret":
		s.secret = r.Secret(webhook.CheckSecret)
	case "signature":
		s.signature = r.Choice(webhook.SignatureSchemes())
	default:
		return false
	}
	return true
}

// check adds a mistake where the two do not go together.
func (s *secretDraft) check(r *strictjson.Reader) {
	if s.secret != "" && s.signature != "" && webhook.SignatureScheme(s.secret) != s.signature {
		r.Add(fault.Field{Field: "signature", Pointer: "/signature", Value: s.signature,
			Message: `Must match the given secret: "v1" for whsec_, "v1a" for whsk_`})
	}
}

// make returns the caller's own secret, or a new one that signs as was asked for, or as usual.
func (s *secretDraft) make(usual string) string {
	if s.secret != "" {
		return s.secret
	}
	return webhook.NewSecretFor(cmp.Or(s.signature, usual))
}

// getWebhook answers an endpoint with its backlog and without its secret.
func (a *api) getWebhook(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	e, err := a.endpoint(r, p)
	if err != nil {
		return err
	}
	shown, err := a.showBacklogs(r, p, []webhook.Endpoint{e}, backlogOfOne)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, shown[0])
}

// listWebhooks answers a page of a workspace's endpoints with their backlogs, newest first.
func (a *api) listWebhooks(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	q := readParams(r)
	limit, cursor := q.limit(), q.cursor(id.Endpoint)
	if err := q.err(); err != nil {
		return err
	}
	found, err := a.DB.ListEndpoints(r.Context(), p.WorkspaceID)
	if err != nil {
		return err
	}
	if cursor != (id.UUID{}) { // there are webhook.MaxEndpoints at most, so the page is cut out of all
		found = slices.DeleteFunc(found, func(e webhook.Endpoint) bool { return bytes.Compare(e.ID[:], cursor[:]) >= 0 })
	}
	var last id.UUID
	if len(found) > limit {
		found = found[:limit]
		last = found[limit-1].ID
	}
	shown, err := a.showBacklogs(r, p, found, backlogOfAll)
	if err != nil {
		return err
	}
	return httpx.Page(w, shown, nextCursor(id.Endpoint, last))
}

// deleteWebhook takes an endpoint away. Its deliveries can be read for as long as they are kept; those that wait are
// cancelled.
func (a *api) deleteWebhook(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	wanted, err := pathID(r, id.Endpoint)
	if err != nil {
		return err
	}
	if err := a.DB.DeleteEndpoint(r.Context(), p.WorkspaceID, wanted); err != nil {
		return err
	}
	a.Waker.RemoveProbeTask(task.Drain(p.WorkspaceID, wanted))
	httpx.AddLogField(r, "endpoint", id.Endpoint.Format(wanted))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// How long a rotated-out secret signs besides the new one.
const (
	defaultOverlap = 24 * time.Hour
	maxOverlap     = 7 * 24 * time.Hour
)

// rotateSecret gives an endpoint a new secret and answers it, this once. A request without a body takes the defaults.
func (a *api) rotateSecret(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	e, err := a.endpoint(r, p) // a wrong address is told before a wrong body
	if err != nil {
		return err
	}
	rot := rotation{overlap: defaultOverlap}
	body, err := readOptional(w, r)
	if err != nil {
		return err
	}
	if body != nil {
		if err := rot.read(body); err != nil {
			return err
		}
	}
	now := a.now()
	e, err = a.DB.UpdateEndpoint(r.Context(), p.WorkspaceID, e.ID, now, func(e *webhook.Endpoint) error {
		if rot.secret == e.Secret {
			return fault.Invalid([]fault.Field{{Field: "secret", Pointer: "/secret",
				Message: "Must differ from the current secret"}})
		}
		return e.Rotate(rot.make(webhook.SignatureScheme(e.Secret)), rot.overlap, now)
	}, nil)
	if err != nil {
		return err
	}
	shown := a.showWebhook(e)
	shown.Secret = e.Secret
	httpx.AddLogField(r, "endpoint", shown.ID)
	return httpx.Data(w, http.StatusOK, shown)
}

// rotation is what a rotation is asked for.
type rotation struct {
	secretDraft
	overlap time.Duration
}

func (rot *rotation) read(body []byte) error {
	in := strictjson.NewReader(body, slices.Concat([]string{"overlapSeconds"}, secretFields))
	for in.Next() {
		if rot.secretDraft.read(in) || !in.Given() {
			continue
		}
		rot.overlap = time.Duration(in.Integer(0, int(maxOverlap/time.Second))) * time.Second
	}
	rot.check(in)
	return in.Err()
}
