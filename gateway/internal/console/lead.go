package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"leadgate/shared/fault"
	domain "leadgate/shared/lead"
)

const leadSubmissionsShown = 20

type leadPage struct {
	Lead        lead
	Version     string // which an edit changes, and no other
	Seen        string // changes with what happened to it
	Gone        string // when it is deleted for good; "": it was not deleted
	Story       story
	Known       []string // what enrichment found out, in words
	Origin      []fact   // where it came from, as enrichment knows
	Metadata    []member
	Rows        []metaRow // of the form
	Submissions []submission
	More        bool // there are more submissions
	First, Last *touch
	Statuses    []string
	Chatbot     string
}

// fact is what something is called and what it is.
type fact struct{ Name, Text string }

// Boxed reports whether the text is long.
func (f *fact) Boxed() bool { return len(f.Text) > longText }

// touch is where a lead came from with a form.
type touch struct {
	SubmissionID, At, Page, Referrer string
	Campaign                         map[string]string
}

// pathVar is a part of the page's address.
func (v *visit) pathVar(name string) string { return mux.Vars(v.r)[name] }

// deletedToo finds a lead also where it was deleted.
var deletedToo = url.Values{"deleted": {"true"}}

// leadPage is where the lead of the page is shown.
func (v *visit) leadPage() string { return Root + "/leads/" + url.PathEscape(v.pathVar("id")) }

// showLead shows what is known of one lead, and what happened to it.
func showLead(v *visit) error {
	path := leadPath(v.pathVar("id"))
	var p leadPage
	var err error
	if p.Version, err = v.getTagged(path, deletedToo, &p.Lead); err != nil {
		return err
	}
	if at, err := time.Parse(time.RFC3339Nano, p.Lead.DeletedAt); err == nil {
		p.Gone = at.Add(domain.RestoreWithin).Format(time.RFC3339Nano)
	}
	var t timeline
	if err := v.get(path+"/timeline", deletedToo, &t); err != nil {
		return err
	}
	if p.Seen = digest([]any{p.Version, &t}); v.asksAgain(p.Seen) {
		return nil
	}
	p.First, p.Last, p.Story = t.FirstTouch, t.LastTouch, tell(t)
	if p.First != nil && p.Last != nil && p.First.SubmissionID == p.Last.SubmissionID {
		p.Last = nil
	}
	asked := url.Values{"limit": {plainNumber(leadSubmissionsShown)}, "deleted": {"true"}}
	next, err := v.list(path+"/submissions", asked, &p.Submissions)
	if err != nil {
		return err
	}
	p.More = next != ""
	var w workspace
	if err := v.get("/api/v1/workspace", nil, &w); err != nil {
		return err
	}
	var chatbots []chatbot
	if p.Lead.ChatbotID != "" {
		if err := v.chatbots(&chatbots); err != nil {
			return err
		}
	}
	p.Statuses, p.Chatbot = w.Statuses, chatbotName(p.Lead.ChatbotID, chatbots)
	p.Known, p.Origin = knownOf(p.Lead.Enrichment)
	p.Metadata = members(p.Lead.Metadata)
	p.Rows = metaRows(v.form, p.Metadata)
	return v.show("lead.html", p.Lead.Title(), &p)
}

const conflict = "Somebody else changed this lead while you did, so nothing was saved. What it is now stands under " +
	"Facts; what you entered is still in the form. Saving again puts yours in its place."

// editLead changes a lead, where it is still the version that the form showed.
func editLead(v *visit) error {
	f := v.r.PostForm
	path := leadPath(v.pathVar("id"))
	var now lead
	if err := v.get(path, nil, &now); err != nil {
		return err
	}
	patch := map[string]any{}
	for _, name := range []string{"name", "email", "phone", "status"} {
		if f.Has(name) {
			patch[name] = f.Get(name)
			if f.Get(name) == "" {
				patch[name] = nil // which is none
			}
		}
	}
	metadata, err := metaPatch(f, members(now.Metadata))
	if err != nil {
		return err
	}
	if len(metadata) > 0 {
		patch["metadata"] = metadata
	}
	err = v.sendIf(f.Get("version"), http.MethodPatch, path, patch)
	if isStatus(err, http.StatusPreconditionFailed) {
		return &apiError{Status: http.StatusPreconditionFailed, Message: conflict}
	}
	if err != nil {
		return err
	}
	return v.done(v.leadPage(), "The lead was changed.")
}

func deleteLead(v *visit) error {
	if err := v.send(http.MethodDelete, leadPath(v.pathVar("id")), nil, nil); err != nil {
		return err
	}
	return v.done(Root+"/leads?deleted=true", "The lead was deleted. It is in this list, and can be restored for 30 days.")
}

func restoreLead(v *visit) error {
	if err := v.send(http.MethodPost, leadPath(v.pathVar("id"))+"/restore", nil, nil); err != nil {
		return err
	}
	return v.done(v.leadPage(), "The lead is back.")
}

// askErase asks for what must be typed before a lead is erased.
func askErase(v *visit) error {
	var l lead
	if err := v.get(leadPath(v.pathVar("id")), deletedToo, &l); err != nil {
		return err
	}
	return v.show("erase.html", "Erase "+l.Title(), &l)
}

// eraseLead erases a lead whose email or id was typed, and shows the receipt.
func eraseLead(v *visit) error {
	path := leadPath(v.pathVar("id"))
	var l lead
	if err := v.get(path, deletedToo, &l); err != nil {
		return err
	}
	typed := strings.TrimSpace(v.r.PostForm.Get("confirm"))
	if typed != l.ID && (l.Email == "" || !strings.EqualFold(typed, l.Email)) {
		return fault.InvalidField("confirm", nil, "Must be the email or the id of this lead, so that no other is erased")
	}
	q := url.Values{"erase": {"true"}}
	if v.r.PostForm.Get("suppress") != "" {
		q.Set("suppress", "true")
	}
	var receipt erasure
	if err := v.send(http.MethodDelete, withQuery(path, q), nil, &receipt); err != nil {
		return err
	}
	return v.done(Root+"/erasures/"+url.PathEscape(receipt.ID), "The lead is erased for good.")
}

type erasure struct {
	ID, LeadID, State, ErasedAt string
	Erased                      struct{ Leads, Events, Deliveries, Attempts, Answers, Reports, Submissions int }
	Suppressed                  bool
}

// showErasure shows the receipt of an erasure.
func showErasure(v *visit) error {
	var e erasure
	if err := v.get("/api/v1/erasures/"+url.PathEscape(v.pathVar("id")), nil, &e); err != nil {
		return err
	}
	return v.show("erasure.html", "Receipt of an erasure", &e)
}

// enrichment is what was found out about a lead.
type enrichment struct {
	Email *struct {
		Domain, CompanyDomain, Suggestion string
		FreeMail, Disposable, RoleAccount bool
	}
	Phone *struct {
		Valid              bool
		E164, Ext, Country string
	}
	Attribution *struct {
		UTM, ClickIDs         map[string]string
		LandingPage, Referrer string
	}
}

// knownOf puts what was found out into sentences, and where a lead came from into facts.
func knownOf(raw json.RawMessage) (known []string, origin []fact) {
	var e enrichment
	if len(raw) == 0 || json.Unmarshal(raw, &e) != nil {
		return nil, nil
	}
	say := func(is bool, text string) {
		if is {
			known = append(known, text)
		}
	}
	if m := e.Email; m != nil {
		say(m.CompanyDomain != "", "Writes from "+m.CompanyDomain+", which is an organisation's own.")
		say(m.FreeMail, "Writes from "+m.Domain+", where anybody gets an address.")
		say(m.Disposable, m.Domain+" gives away addresses that last for an hour or a day.")
		say(m.RoleAccount, "The address is that of a job, such as info@, and not of one person.")
		say(m.Suggestion != "", "Probably mistyped: "+m.Suggestion+" may have been meant.")
	}
	if n := e.Phone; n != nil {
		say(n.Valid, "The phone can be called: "+n.E164+ext(n.Ext)+in(n.Country)+".")
		say(!n.Valid, "The phone may be wrong, or lacks its country (+ and a code).")
	}
	if a := e.Attribution; a != nil {
		for _, f := range []fact{{"Landing page", a.LandingPage}, {"Came from", a.Referrer}} {
			if f.Text != "" {
				origin = append(origin, f)
			}
		}
		origin = append(origin, campaignFacts(a.UTM)...)
		origin = append(origin, campaignFacts(a.ClickIDs)...)
	}
	return known, origin
}

func ext(digits string) string {
	if digits == "" {
		return ""
	}
	return ", extension " + digits
}

func in(country string) string {
	if country == "" {
		return ""
	}
	return " (" + country + ")"
}
