package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"leadgate/gateway/internal/webui"
	"leadgate/shared/tenant"
)

// showThanks is the page that the form's visitors see.
func showThanks(v *visit) error {
	query := url.Values{}
	if lang := v.r.URL.Query().Get("lang"); lang != "" {
		query.Set("lang", lang)
	}
	return v.stream(withQuery("/api/v1/keys/"+pathID(v)+"/thanks", query))
}

// allowOrigin adds a site that was refused to those that may use the form.
func allowOrigin(v *visit) error {
	var k formKey
	if err := v.get("/api/v1/keys/"+pathID(v), nil, &k); err != nil {
		return err
	}
	origin := v.r.PostForm.Get("origin")
	if k.Form == nil || slices.Contains(k.Form.Origins, origin) {
		return v.done(formsPath+"/"+pathID(v), "Nothing was changed.")
	}
	body := map[string]any{"form": map[string]any{"origins": append(k.Form.Origins, origin)}}
	if err := v.send(http.MethodPatch, "/api/v1/keys/"+pathID(v), body, nil); err != nil {
		return err
	}
	return v.done(formsPath+"/"+pathID(v), "Pages of "+origin+" may use the form now.")
}

// formPreview is what a submission would become.
type formPreview struct {
	Accepted bool
	Lead     *lead
	Fields   []struct{ From, To string }
	Ignored  []string
	Warnings []webui.Mistake
	Errors   []webui.Mistake
	Verdict  string
	Points   int
	Reasons  []pointsFor
}

type pointsFor struct {
	Check, Note string
	Points      int
}

// previewForm shows what a submission would become that was pasted, as a form sends it or as JSON.
func previewForm(v *visit) error {
	text := strings.TrimSpace(v.r.PostForm.Get("submission"))
	media := "application/x-www-form-urlencoded"
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		media = "application/json"
	}
	r, err := v.request(http.MethodPost, "/api/v1/keys/"+pathID(v)+"/preview", strings.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", media)
	var p formPreview
	if err := v.call(r, &envelope{Data: &p}); err != nil {
		return err
	}
	return v.showForm(&p, text)
}

// tryForm sends the form once, as a page of its first origin would.
func tryForm(v *visit) error {
	var k formKey
	if err := v.get("/api/v1/keys/"+pathID(v), nil, &k); err != nil {
		return err
	}
	text, err := json.Marshal(map[string]string{"email": v.r.PostForm.Get("email"), "name": v.r.PostForm.Get("name"),
		"message": v.r.PostForm.Get("message")})
	if err != nil {
		return err
	}
	r, err := v.request(http.MethodPost, "/f/"+url.PathEscape(k.Key), bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if k.Form != nil && len(k.Form.Origins) > 0 && k.Form.Origins[0] != tenant.AnyOrigin {
		r.Header.Set("Origin", k.Form.Origins[0])
	} else {
		r.Header.Set("Origin", v.origin())
	}
	if err := v.call(r, &envelope{}); err != nil {
		return err
	}
	return v.done(formsPath+"/"+pathID(v), "The form took it. Look at the latest leads and at the quarantine.")
}
