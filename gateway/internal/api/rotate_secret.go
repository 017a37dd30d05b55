package api

import (
	"net/http"
	"slices"
	"time"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/strictjson"
	"leadgate/shared/tenant"
	"leadgate/shared/webhook"
)

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
	if r.ContentLength != 0 {
		body, err := httpx.ReadJSON(w, r, maxBody)
		if err != nil {
			return err
		}
		if err := rot.read(body); err != nil {
			return err
		}
	}
	now := a.moment()
	e, err = a.DB.UpdateEndpoint(r.Context(), p.WorkspaceID, e.ID, now, func(e *webhook.Endpoint) error {
		if rot.secret == e.Secret {
			return fault.Invalid([]fault.Field{{Field: "secret", Pointer: "/secret", Message: "Must differ from the current secret"}})
		}
		return e.Rotate(rot.make(webhook.SignatureOf(e.Secret)), rot.overlap, now)
	}, nil)
	if err != nil {
		return err
	}
	shown := a.showWebhook(e)
	shown.Secret = e.Secret
	httpx.Note(r, "endpoint", shown.ID)
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
