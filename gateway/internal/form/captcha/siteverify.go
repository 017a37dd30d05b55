package captcha

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// siteverify is a verifier that speaks the protocol of reCAPTCHA's siteverify, which the others took over.
type siteverify struct {
	name   string
	url    string
	scores bool // its score is from 0 to 1, and 1 is a person
	client *http.Client
}

// result is the body of an answer.
type result struct {
	Success  *bool    `json:"success"`
	Errors   []string `json:"error-codes"`
	Score    *float64 `json:"score"`
	Hostname string   `json:"hostname"`
}

func (v *siteverify) Verify(ctx context.Context, q Question) (Answer, error) {
	res, status, err := v.ask(ctx, q)
	switch {
	case err != nil && status/100 == 4:
		return Answer{Verdict: Misconfigured}, err
	case err != nil:
		return Answer{Verdict: Unavailable}, err
	case !*res.Success:
		return v.refusal(res, status)
	case v.scores && res.Score != nil && *res.Score < q.MinScore:
		return Answer{Verdict: NotHuman}, errors.New("the score is too low")
	}
	return Answer{Verdict: Human, Hostname: res.Hostname}, nil
}

// ask sends the question; status is zero when no answer came.
func (v *siteverify) ask(ctx context.Context, q Question) (res result, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	form := url.Values{"secret": {q.Secret}, "response": {q.Token}}
	if q.Client.IsValid() {
		form.Set("remoteip", q.Client.String())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.url, strings.NewReader(form.Encode()))
	if err != nil {
		return res, 0, errors.New("the verifier's address is not a URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := v.client.Do(req)
	if err != nil {
		var failed *url.Error // names the URL, which may hold a secret
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return res, 0, fmt.Errorf("ask %s: %w", v.name, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return res, 0, fmt.Errorf("ask %s: %w", v.name, err)
	}
	if err := json.Unmarshal(text, &res); err != nil || res.Success == nil || response.StatusCode >= 500 {
		return res, response.StatusCode, fmt.Errorf("%s answered %d", v.name, response.StatusCode)
	}
	return res, response.StatusCode, nil
}

// refusal returns whose fault an answer without success is: the visitor's, the form owner's or the verifier's.
func (v *siteverify) refusal(res result, status int) (Answer, error) {
	mentions := func(what string) bool {
		return slices.ContainsFunc(res.Errors, func(code string) bool { return strings.Contains(code, what) })
	}
	reason := fmt.Errorf("%s answered %d without success", v.name, status)
	switch {
	case mentions("secret"):
		return Answer{Verdict: Misconfigured}, fmt.Errorf("%s does not know captchaSecret", v.name)
	case status/100 == 4 && !mentions("response") && !mentions("duplicate"): // the token is all that a visitor gives
		return Answer{Verdict: Misconfigured}, reason
	case mentions("internal-error"):
		return Answer{Verdict: Unavailable}, fmt.Errorf("%s had an internal error", v.name)
	}
	return Answer{Verdict: NotHuman}, reason
}
