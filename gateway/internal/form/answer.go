package form

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"leadgate/shared/tenant"
)

// WantsJSON reports whether a script sent the request. Otherwise it is a plain form, whose answer a person sees.
func WantsJSON(h http.Header) bool {
	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err == nil && media == jsonType {
		return true
	}
	switch h.Get("Sec-Fetch-Mode") { // by browsers, which no page can change (W3C Fetch Metadata)
	case "navigate":
		return false
	case "cors", "no-cors", "same-origin":
		return true
	}
	accept := strings.Join(h.Values("Accept"), ",")
	return quality(accept, jsonType) > quality(accept, "text/html")
}

// quality is how much an Accept header wants a media type by its own name (RFC 9110, 12.5.1); 0: not at all.
func quality(accept, media string) (best float64) {
	for part := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil || name != media {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			q = 1
		}
		best = max(best, q)
	}
	return best
}

// thanks is the page that thanks the visitor of a plain form without a redirect. from is the page of the form; "":
// unknown.
func (l look) thanks(f tenant.Form, from string) page {
	p := page{Title: l.say(thanksTitle), Text: []string{l.say(thanksText)}}
	if f.ThanksText != "" {
		p.Text[0] = f.ThanksText
	}
	switch {
	case f.BackURL != "" && f.BackText != "":
		p.Back = &link{f.BackURL, f.BackText}
	case f.BackURL != "" && f.Brand.Name != "":
		p.Back = &link{f.BackURL, l.say(backTo, f.Brand.Name)}
	case f.BackURL != "":
		p.Back = &link{f.BackURL, l.say(back)}
	case from != "":
		p.Back = &link{from, l.say(back)}
	}
	return p
}

// WriteThanks sends the page that thanks the visitor of a form, as its owner sees it. lang goes before the form's; "":
// neither says.
func WriteThanks(w http.ResponseWriter, r *http.Request, f tenant.Form, lang string) {
	if lang == "" {
		lang = f.Lang
	}
	l := look{tongueOf(lang, r.Header), f.Brand, lang == ""}
	l.show(w, http.StatusOK, l.thanks(f, ""))
}

// Back returns the page from which a submission was sent, when its site may use the form.
func (o Origins) Back(s *Submission, h http.Header) string {
	for _, raw := range []string{s.Page, h.Get("Referer")} {
		if origin, ok := tenant.ParseOrigin(raw); ok && o.allow(origin) {
			if u := pageURL(raw); u != nil {
				return bare(u)
			}
		}
	}
	return ""
}

// WriteAddress sends the page for a person who opens the address that a form is sent to.
func WriteAddress(w http.ResponseWriter, r *http.Request) {
	l := look{tongue: tongueOf("", r.Header), chosen: true}
	l.show(w, http.StatusOK, page{Title: l.say(addressTitle), Text: []string{l.say(addressText)},
		Owner: &advice{"", l.say(addressOwner), l.say(addressGuide)}})
}
