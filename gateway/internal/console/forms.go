package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/gorilla/mux"

	"leadgate/gateway/internal/httpx"
	"leadgate/shared/tenant"
)

const formsPath = Root + "/forms"

func formRoutes() []route {
	return []route{
		{"GET", formsPath, tenant.KeysManage, forms, []string{"GET /api/v1/keys"}, nil},
		{"GET", formsPath + "/new", tenant.KeysManage, newForm, nil, nil},
		{"POST", formsPath, tenant.KeysManage, makeForm, []string{"POST /api/v1/keys"}, newForm},
		{"GET", formsPath + "/{id}", tenant.KeysManage, showForm, []string{"GET /api/v1/keys/{id}", "GET /api/v1/keys/{id}/refused-origins"}, nil},
		{"GET", formsPath + "/{id}/thanks", tenant.KeysManage, showThanks, []string{"GET /api/v1/keys/{id}/thanks"}, nil},
		{"POST", formsPath + "/{id}/allow", tenant.KeysManage, allowOrigin, []string{"PATCH /api/v1/keys/{id}"}, showForm},
		{"POST", formsPath + "/{id}", tenant.KeysManage, editForm, []string{"PATCH /api/v1/keys/{id}"}, showForm},
		{"POST", formsPath + "/{id}/preview", tenant.KeysManage, previewForm,
			[]string{"POST /api/v1/keys/{id}/preview"}, showForm},
		{"POST", formsPath + "/{id}/try", tenant.KeysManage, tryForm, []string{"POST /f/{formKey}"}, showForm},
	}
}

// formKey is a publishable key.
type formKey struct {
	ID, Name, Kind, Mode, Key, CreatedAt, RevokedAt, ExpiresAt, LastUsedAt string

	Form *struct {
		ChatbotID, RedirectURL, Source, Honeypot, OnDuplicate, Captcha, Preset string
		Lang, ThanksText, BackURL, BackText                                    string

		Brand struct{ Name, LogoURL, Accent string }

		Origins                                                                 []string
		MinFillMs, SuspectAt, HoldAt, PerMinute, PerMinuteIP, CaptchaDifficulty int
		RequireToken                                                            bool
	}
}

// Live reports whether the form takes anything.
func (k formKey) Live() bool { return k.RevokedAt == "" }

// maxFormPages bounds how many pages of keys are read to find those of forms.
const maxFormPages = 10

func forms(v *visit) error {
	var found []formKey
	query := url.Values{"limit": {"100"}}
	for range maxFormPages {
		var page []formKey
		next, err := v.list("/api/v1/keys", query, &page)
		if err != nil {
			return err
		}
		for _, k := range page {
			if k.Form != nil && k.Live() {
				found = append(found, k)
			}
		}
		if next == "" {
			break
		}
		query.Set("cursor", next)
	}
	return v.show("forms.html", "Forms", found)
}

// formChoices are what the fields of a form's settings offer.
type formChoices struct {
	Chatbots  []chatbot
	Key       formKey
	Snippets  []snippet
	Preview   *formPreview
	Submitted string // what was previewed
	Refused   []refusedOrigin
	Languages []string
}

// refusedOrigin is a site whose page sent a form that it may not use; "": it is not known which.
type refusedOrigin struct{ Origin, LastAt string }

func newForm(v *visit) error {
	p := formChoices{Languages: tenant.Languages()}
	if err := v.chatbots(&p.Chatbots); err != nil {
		return err
	}
	return v.show("form-new.html", "New form", p)
}

// chatbots reads the first hundred; who may not see them has none to choose from.
func (v *visit) chatbots(to *[]chatbot) error {
	if !v.principal.May(tenant.WorkspaceManage) {
		return nil
	}
	_, err := v.list("/api/v1/chatbots", url.Values{"limit": {"100"}}, to)
	return err
}

func makeForm(v *visit) error {
	f := v.r.PostForm
	body := map[string]any{"name": f.Get("name"), "kind": "publishable", "form": formSettings(f)}
	if v.principal.TestOf != (tenant.Principal{}).TestOf {
		body["mode"] = "test"
	}
	var made formKey
	if err := v.send(http.MethodPost, "/api/v1/keys", body, &made); err != nil {
		return err
	}
	return v.done(formsPath+"/"+url.PathEscape(made.ID), "The form is ready. Put one of these into your page.")
}

// formSettings are those that were entered; what is empty takes its default.
func formSettings(f url.Values) map[string]any {
	s := map[string]any{"requireToken": f.Has("requireToken"), "origins": words(f.Get("origins"))}
	for _, name := range []string{"redirectUrl", "source", "onDuplicate", "chatbotId", "captcha", "preset", "lang",
		"thanksText", "backUrl", "backText"} {
		if f.Has(name) { // what the page does not show stays
			s[name] = optional(f.Get(name))
		}
	}
	if f.Get("captcha") == "kept" { // one with a secret, which this page cannot set
		delete(s, "captcha")
	}
	if f.Has("brandName") {
		s["brand"] = map[string]any{"name": optional(f.Get("brandName")), "logoUrl": optional(f.Get("logoUrl")),
			"accent": optional(f.Get("accent"))}
	}
	for _, name := range []string{"suspectAt", "holdAt", "perMinute", "perMinuteIp", "minFillMs"} {
		if f.Has(name) {
			s[name] = optionalNumber(f.Get(name))
		}
	}
	return s
}

// optional is the text, or null where there is none.
func optional(text string) any {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return text
}

// optionalNumber is the number of a field. What is none goes to the API as it is, which says what would be right.
func optionalNumber(text string) any {
	text = strings.TrimSpace(text)
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return optional(text)
}

// words are what stands between white space or commas.
func words(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || unicode.IsSpace(c) })
}

func showForm(v *visit) error { return v.showForm(nil, "") }

func (v *visit) showForm(preview *formPreview, submitted string) error {
	p := formChoices{Preview: preview, Submitted: submitted, Languages: tenant.Languages()}
	if err := v.get("/api/v1/keys/"+pathID(v), nil, &p.Key); err != nil {
		return err
	}
	if p.Key.Form == nil {
		return &apiError{Status: http.StatusNotFound, Message: "This key has no form: only a publishable key has one"}
	}
	if err := v.chatbots(&p.Chatbots); err != nil {
		return err
	}
	if one := p.Key.Form.ChatbotID; one != "" && len(p.Chatbots) > 0 && chatbotName(one, p.Chatbots) == one {
		p.Chatbots = append(p.Chatbots, chatbot{ID: one, Name: one}) // it is not among the first hundred
	}
	p.Snippets = snippets(v.origin(), &p.Key)
	// Without them the page is no worse than before Redis went away.
	_ = v.get("/api/v1/keys/"+pathID(v)+"/refused-origins", nil, &p.Refused)
	return v.show("form.html", p.Key.Name, p)
}

// pathID is the id of the path, as the API's path takes it.
func pathID(v *visit) string { return url.PathEscape(mux.Vars(v.r)["id"]) }

// origin is the address of this installation.
func (v *visit) origin() string { return httpx.Origin(v.r, v.PublicURL) }

func editForm(v *visit) error {
	body := map[string]any{"name": v.r.PostForm.Get("name"), "form": formSettings(v.r.PostForm)}
	if err := v.send(http.MethodPatch, "/api/v1/keys/"+pathID(v), body, nil); err != nil {
		return err
	}
	return v.done(formsPath+"/"+pathID(v), "The form was changed.")
}
