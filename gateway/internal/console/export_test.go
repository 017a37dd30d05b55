package console

import (
	"encoding/json"
	"net/http/httptest"

	"leadgate/gateway/internal/webui"
	"leadgate/shared/tenant"
)

// Known is what the page of a lead says of its enrichment: sentences, and facts of where it came from.
func Known(enrichment string) (known, origin []string) {
	known, facts := knownOf(json.RawMessage(enrichment))
	for _, f := range facts {
		origin = append(origin, f.Name+": "+f.Text)
	}
	return known, origin
}

// Route is a line of the table, as tests see it.
type Route struct {
	Method, Path string
	Scope        tenant.Scope // "": every session may
	Twins        []string
}

// Routes are the pages of who is signed in.
func Routes() (all []Route) {
	for _, r := range (&console{}).routes() {
		all = append(all, Route{r.method, r.path, r.scope, r.twins})
	}
	return all
}

// EndpointsPage is the page of the endpoints that the API answers as text.
func EndpointsPage(text string) (string, error) {
	var p endpointsPage
	if err := json.Unmarshal([]byte(text), &p.Endpoints); err != nil {
		return "", err
	}
	pages, err := webui.Parse(files)
	if err != nil {
		return "", err
	}
	w := httptest.NewRecorder()
	err = pages.Render(w, 200, "endpoints.html", &webui.View{Assets: assetsPath, Data: data{nil, p, &tenant.Principal{}}})
	return w.Body.String(), err
}
