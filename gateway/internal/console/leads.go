package console

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/gorilla/mux"

	"leadgate/shared/tenant"
)

func leadRoutes() []route {
	return []route{
		{"GET", Root + "/leads", tenant.LeadsRead, leads, []string{"GET /api/v1/leads"}, nil},
		{"GET", Root + "/leads/export", tenant.LeadsRead, exportLeads, []string{"GET /api/v1/leads/export"}, nil},
		{"GET", Root + "/leads/{id}", tenant.LeadsRead, showLead,
			[]string{"GET /api/v1/leads/{id}", "GET /api/v1/leads/{id}/timeline"}, nil},
		{"POST", Root + "/leads/{id}", tenant.LeadsWrite, editLead, []string{"PATCH /api/v1/leads/{id}"}, showLead},
		{"POST", Root + "/leads/{id}/delete", tenant.LeadsWrite, deleteLead, []string{"DELETE /api/v1/leads/{id}"}, showLead},
	}
}

func plainNumber(n int) string { return strconv.Itoa(n) }

type leadsPage struct {
	Leads    []lead
	Next     string
	Statuses []string
}

// leads lists leads, as the query filters them.
func leads(v *visit) error {
	var p leadsPage
	var w workspace
	if err := v.get("/api/v1/workspace", nil, &w); err != nil {
		return err
	}
	p.Statuses = w.Statuses
	q := pick(v.r.URL.Query(), "q", "status", "source", "deleted", "sort", "cursor")
	next, err := v.list("/api/v1/leads", q, &p.Leads)
	if err != nil {
		return err
	}
	if next != "" {
		q.Set("cursor", next)
		p.Next = "?" + q.Encode()
	}
	return v.show("leads.html", "Leads", p)
}

// pick returns those parameters of a query that have a value.
func pick(q url.Values, names ...string) url.Values {
	out := url.Values{}
	for _, name := range names {
		if value := q.Get(name); value != "" {
			out.Set(name, value)
		}
	}
	return out
}

func exportLeads(v *visit) error {
	return v.stream(withQuery("/api/v1/leads/export", pick(v.r.URL.Query(), "q", "status", "source", "deleted", "format")))
}

type leadPage struct {
	Lead     lead
	Timeline timeline
	Statuses []string
}

// showLead shows what is known of one lead, and what happened to it.
func showLead(v *visit) error {
	path := "/api/v1/leads/" + url.PathEscape(mux.Vars(v.r)["id"])
	var p leadPage
	if err := v.get(path, nil, &p.Lead); err != nil {
		return err
	}
	if err := v.get(path+"/timeline", nil, &p.Timeline); err != nil {
		return err
	}
	var w workspace
	if err := v.get("/api/v1/workspace", nil, &w); err != nil {
		return err
	}
	p.Statuses = w.Statuses
	title := p.Lead.Name
	for _, other := range []string{p.Lead.Email, p.Lead.Phone, p.Lead.ID} {
		if title == "" {
			title = other
		}
	}
	return v.show("lead.html", title, p)
}

func editLead(v *visit) error {
	f := v.r.PostForm
	patch := map[string]any{}
	for _, name := range []string{"name", "email", "phone", "status"} {
		if f.Has(name) {
			patch[name] = f.Get(name)
		}
	}
	for _, name := range []string{"name", "phone"} { // the API takes null for none
		if patch[name] == "" {
			patch[name] = nil
		}
	}
	id := mux.Vars(v.r)["id"]
	if err := v.send(http.MethodPatch, "/api/v1/leads/"+url.PathEscape(id), patch, nil); err != nil {
		return err
	}
	return v.done(Root+"/leads/"+url.PathEscape(id), "The lead was changed.")
}

func deleteLead(v *visit) error {
	id := mux.Vars(v.r)["id"]
	if err := v.send(http.MethodDelete, "/api/v1/leads/"+url.PathEscape(id), nil, nil); err != nil {
		return err
	}
	return v.done(Root+"/leads", "The lead was deleted.")
}
