package form

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"leadgate/gateway/internal/form/captcha"
	"leadgate/gateway/internal/form/proof"
	"leadgate/gateway/internal/httpx"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/limit"
	"leadgate/shared/rdb"
	"leadgate/shared/tenant"
)

// askTimeout bounds a request for a token or a challenge.
const askTimeout = 5 * time.Second

// askRate is how often the address of a client may ask for tokens and challenges of a form. Both cost little, and many
// visitors share the address of an office.
func askRate(c Client) limit.Rate {
	if c.Hidden {
		return limit.NewRate(12_000, time.Minute, 12_000)
	}
	return limit.NewRate(600, time.Minute, 600)
}

// pageToken is what a page gets that asks for a token.
type pageToken struct {
	Token     string `json:"token"`
	ExpiresIn int    `json:"expiresIn"` // seconds
	Challenge bool   `json:"challenge"` // the form also asks for a proof of work
}

// Token answers a page that asks for a token when it is shown, by which it can be told later when that was.
func (s *Service) Token(w http.ResponseWriter, r *http.Request, key string) error {
	q, keys, err := s.ask(w, r, key)
	if err != nil {
		return err
	}
	return httpx.Data(w, http.StatusOK, pageToken{keys.Token(q.p.KeyID, s.Now()), int(proof.TokenTTL / time.Second),
		q.form.Captcha == tenant.Altcha})
}

// Challenge answers a page that asks for a proof of work, in the words of ALTCHA's protocol. CONFLICT: the form asks for
// none.
func (s *Service) Challenge(w http.ResponseWriter, r *http.Request, key string) error {
	q, keys, err := s.ask(w, r, key)
	if err != nil {
		return err
	}
	if q.form.Captcha != tenant.Altcha {
		return fault.New(fault.Conflict, `This form asks for no proof of work. Set "captcha": "altcha" in its key's form`)
	}
	c := captcha.NewChallenge(keys.Challenge(), q.p.KeyID, q.form.CaptchaDifficulty, s.Now())
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	return json.NewEncoder(w).Encode(c)
}

// ask admits a page that asks for something that is signed.
func (s *Service) ask(w http.ResponseWriter, r *http.Request, key string) (*request, *proof.Keys, error) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	q := &request{Service: s, w: w, r: r.WithContext(ctx), client: s.Client(r)}
	w.Header().Set("Cache-Control", "no-store")
	if _, err := q.open(key); err != nil {
		return nil, nil, err
	}
	d := s.asked.Take(sender{q.p.KeyID, network(q.client.Addr)}, askRate(q.client), s.Now())
	if d.Limited {
		return nil, nil, tooMany("Too many requests of this form. Please try again later.", d.RetryAfter)
	}
	keys := s.keys(ctx)
	if keys == nil {
		return nil, nil, &fault.Error{Kind: fault.Unavailable, RetryAfter: secretRetry,
			Public: "This is not available at the moment. The form can be sent without it."}
	}
	return q, keys, nil
}

// pageToken says of the token that came with a submission what it is worth, and how long before the page was shown.
func (q *request) pageToken(s *Submission) (age time.Duration, state proof.State) {
	return q.keys(q.r.Context()).CheckToken(s.Proof, q.p.KeyID, q.Now())
}

// excuse lets a submission go without a proof of work while no page can get a challenge. Whether such are taken is for
// the form to say, as while other verifiers are away.
func (q *request) excuse(s *Submission) {
	if q.form.Captcha == tenant.Altcha && s.Token == "" && q.keys(q.r.Context()) == nil {
		s.Token = "none"
	}
}

// spend uses a proof of work up and reports whether that is the first time. Without Redis this process alone knows.
func (s *Service) spend(ctx context.Context, workspace id.UUID, challenge string, remember time.Duration) bool {
	first, ok := askRedis(ctx, s, func(ctx context.Context) (bool, error) {
		return rdb.SpendWork(ctx, s.Redis, workspace, challenge, remember)
	})
	if ok {
		return first
	}
	return !s.spent.Take(challenge, limit.NewRate(1, remember, 1), s.Now()).Limited
}
