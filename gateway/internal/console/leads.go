package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

func leadRoutes() []route {
	return []route{
		{"GET", Root + "/leads", tenant.LeadsRead, leads, []string{"GET /api/v1/leads"}, nil},
		{"GET", Root + "/leads/export", tenant.LeadsRead, exportLeads, []string{"GET /api/v1/leads/export"}, nil},
		{"POST", Root + "/leads/change", tenant.LeadsWrite, changeLeads,
			[]string{"PATCH /api/v1/leads/{id}", "POST /api/v1/leads/{id}/restore"}, leads},
		{"GET", Root + "/leads/{id}", tenant.LeadsRead, showLead, []string{"GET /api/v1/leads/{id}",
			"GET /api/v1/leads/{id}/timeline", "GET /api/v1/leads/{id}/submissions"}, nil},
		{"POST", Root + "/leads/{id}", tenant.LeadsWrite, editLead, []string{"PATCH /api/v1/leads/{id}"}, showLead},
		{"POST", Root + "/leads/{id}/delete", tenant.LeadsWrite, deleteLead, []string{"DELETE /api/v1/leads/{id}"}, showLead},
		{"POST", Root + "/leads/{id}/restore", tenant.LeadsWrite, restoreLead,
			[]string{"POST /api/v1/leads/{id}/restore"}, showLead},
		{"GET", Root + "/leads/{id}/erase", tenant.LeadsWrite, askErase, []string{"GET /api/v1/leads/{id}"}, nil},
		{"POST", Root + "/leads/{id}/erase", tenant.LeadsWrite, eraseLead, []string{"DELETE /api/v1/leads/{id}"}, askErase},
		{"GET", Root + "/erasures/{id}", tenant.LeadsWrite, showErasure, []string{"GET /api/v1/erasures/{id}"}, nil},
	}
}

// lead is one as the API shows it.
type lead struct {
	ID, Name, Email, Phone, Source, Status, ChatbotID, CreatedAt, UpdatedAt, DeletedAt string
	Metadata, Enrichment                                                               json.RawMessage
}

// Title is what a lead is called, whatever is known of it.
func (l *lead) Title() string {
	for _, text := range []string{l.Name, l.Email, l.Phone} {
		if text != "" {
			return text
		}
	}
	return l.ID
}

type leadsPage struct {
	Filter   leadFilter
	Columns  []leadColumn // that are shown
	Choices  []leadColumn // that can be chosen
	Rows     []leadRow
	Next     string // the next page; "": there is none
	First    string // the first page; "": this is it
	This     string // query of this page
	Statuses []string
	Chatbots []chatbot
	Refused  *apiError // why the filters were not taken
	Empty    bool      // the workspace has no lead at all
	Address  string    // of this installation
	Deleted  bool
}

type leadRow struct {
	Lead  lead
	Cells []cell
}

// Export is the query of the file of what is shown.
func (p *leadsPage) Export(format string) string {
	f := p.Filter
	f.Columns, f.Sort = nil, "" // a file has all fields, in its own order
	return withFormat(f.query(""), format)
}

func withFormat(query, format string) string {
	if query == "" {
		return "?format=" + format
	}
	return query + "&format=" + format
}

// leads lists leads, as the query filters them.
func leads(v *visit) error {
	p := leadsPage{Filter: readFilter(v.r.URL.Query()), Address: v.origin()}
	p.Deleted = p.Filter.Deleted == "true"
	var w workspace
	if err := v.get("/api/v1/workspace", nil, &w); err != nil {
		return err
	}
	p.Statuses = w.Statuses
	if err := v.chatbots(&p.Chatbots); err != nil {
		return err
	}
	var found []lead
	next, err := v.list("/api/v1/leads", p.Filter.forAPI(), &found)
	if isStatus(err, http.StatusBadRequest) || isStatus(err, http.StatusNotFound) { // the form says what is wrong
		errors.As(err, &p.Refused)
	} else if err != nil {
		return err
	}
	p.Columns, p.Choices = chosenColumns(p.Filter.Columns, found)
	for _, l := range found {
		p.Rows = append(p.Rows, leadRow{l, cells(&l, p.Columns, p.Chatbots)})
	}
	p.This = p.Filter.query(p.Filter.cursor)
	if next != "" {
		p.Next = Root + "/leads" + p.Filter.query(next)
	}
	if p.Filter.cursor != "" {
		p.First = Root + "/leads" + p.Filter.query("")
	}
	p.Empty = len(found) == 0 && next == "" && p.Filter.isAll() && p.Refused == nil
	if v.r.Header.Get("HX-Request") != "" {
		v.w.Header().Set("HX-Push-Url", Root+"/leads"+p.Filter.query(p.Filter.cursor))
	}
	return v.show("leads.html", "Leads", &p)
}

// exportLeads answers a file of the leads that the list shows, on all its pages.
func exportLeads(v *visit) error {
	q := readFilter(v.r.URL.Query()).forExport()
	q.Set("format", v.r.URL.Query().Get("format"))
	return v.stream(withQuery("/api/v1/leads/export", q))
}

// listQuery is the query of the page that a form was on.
func listQuery(v *visit) string {
	f := readFilter(v.r.URL.Query())
	return f.query(f.cursor)
}

// maxTicked is how many records one form changes.
const maxTicked = 100

// changeLeads gives the ticked leads a status, or restores them.
func changeLeads(v *visit) error {
	status, restore := v.r.PostForm.Get("status"), v.r.PostForm.Get("do") == "restore"
	if status == "" && !restore {
		return fault.InvalidField("status", nil, "Choose the status that the ticked leads shall have")
	}
	to := Root + "/leads" + listQuery(v)
	if restore {
		return v.each(to, "lead", "restored", func(id string) error {
			return v.send(http.MethodPost, leadPath(id)+"/restore", nil, nil)
		})
	}
	return v.each(to, "lead", "given the status "+status, func(id string) error {
		return v.send(http.MethodPatch, leadPath(id), map[string]any{"status": status}, nil)
	})
}

func plainNumber(n int) string { return strconv.Itoa(n) }

func leadPath(id string) string { return "/api/v1/leads/" + url.PathEscape(id) }

// nameOf is what people call a lead or a submission; where it cannot be read it is the id.
func (v *visit) nameOf(what, id string) string {
	var found lead // of both the API tells name and email
	if v.get("/api/v1/"+what+"s/"+url.PathEscape(id), nil, &found) != nil {
		return id
	}
	return found.Title()
}

// each does something with every ticked record. Those that failed are told one by one, with what the API says.
func (v *visit) each(to, what, done string, do func(id string) error) error {
	ids := v.r.PostForm["id"]
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 || len(ids) > maxTicked {
		return fault.InvalidField("id", nil, "Tick at least one "+what+", and at most 100")
	}
	failed := &apiError{Status: http.StatusConflict}
	for _, id := range ids {
		v.counted = false // each is a change of its own
		err := do(id)
		refused := (*apiError)(nil)
		switch {
		case errors.As(err, &refused):
			why := refused.Message
			if len(refused.Fields) > 0 {
				why = refused.Fields[0].Message
			}
			failed.Fields = append(failed.Fields, mistake{Field: v.nameOf(what, id), Message: why})
		case err != nil:
			return err
		}
	}
	count := func(n int) string {
		switch n {
		case 0:
			return "No " + what + " was " + done
		case 1:
			return "1 " + what + " was " + done
		}
		return plainNumber(n) + " " + what + "s were " + done
	}
	if len(failed.Fields) == 0 {
		return v.done(to, count(len(ids))+".")
	}
	failed.Message = count(len(ids)-len(failed.Fields)) + ". These could not be changed:"
	return failed
}
