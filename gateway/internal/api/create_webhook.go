package api

import (
	"net/http"
	"slices"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

// createWebhook answers the endpoint with its signing secret, which is shown this once.
func (a *api) createWebhook(w http.ResponseWriter, r *http.Request, p *tenant.Principal) error {
	body, err := httpx.ReadJSON(w, r, maxBody)
	if err != nil {
		return err
	}
	e, err := a.readWebhook(r, p, body)
	if err != nil {
		return err
	}
	if err := a.DB.CreateEndpoint(r.Context(), e); err != nil {
		return err
	}
	shown := a.showWebhook(e)
	shown.Secret = e.Secret
	httpx.Note(r, "endpoint", shown.ID)
	w.Header().Set("Location", "/api/v1/webhooks/"+shown.ID)
	return httpx.Data(w, http.StatusCreated, shown)
}

// readWebhook reads a new endpoint.
func (a *api) readWebhook(r *http.Request, p *tenant.Principal, body []byte) (e webhook.Endpoint, err error) {
	now := a.moment()
	e = webhook.Endpoint{
		WorkspaceID: p.WorkspaceID, ID: id.New(), EventTypes: defaultEventTypes(), Headers: map[string]string{}, Payload: webhook.PayloadFull,
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
		s.signature = r.Choice(webhook.Signatures())
	default:
		return false
	}
	return true
}

// check adds a mistake where the two do not go together.
func (s *secretDraft) check(r *strictjson.Reader) {
	if s.secret != "" && s.signature != "" && webhook.SignatureOf(s.secret) != s.signature {
		r.Add(fault.Field{Field: "signature", Pointer: "/signature", Value: s.signature, Message: `Must be how the given secret signs: "v1" with whsec_, "v1a" with whsk_`})
	}
}

// make returns the caller's own secret, or a new one that signs as was asked for, or as usual.
func (s *secretDraft) make(usual string) string {
	if s.secret != "" {
		return s.secret
	}
	return webhook.NewSecretFor(fallback(s.signature, usual))
}
