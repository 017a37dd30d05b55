package form

import (
	"maps"
	"slices"
	"strings"

	"leadgate/gateway/internal/form/proof"
	"leadgate/gateway/internal/form/verdict"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// maxUserAgent is how many bytes of a user agent are kept.
const maxUserAgent = 512

// record returns the submission that is kept of s, with the verdict. newID is its id, also when the request comes again;
// zero: a new one.
func (q *request) record(s *Submission, d *lead.Draft, newID id.UUID) *lead.Submission {
	if newID == (id.UUID{}) {
		newID = id.New()
	}
	page, referrer, campaign := s.origin(q.r.Header.Get("Referer"))
	agent := clean(q.r.UserAgent())
	if len(agent) > maxUserAgent {
		agent = clean(agent[:maxUserAgent])
	}
	sub := &lead.Submission{
		WorkspaceID: q.p.WorkspaceID, ID: newID, FormID: q.p.KeyID, Email: d.Email, EmailKey: d.AddressKey, Name: d.Name,
		Fields: s.Fields(), Page: page, Referrer: referrer, Campaign: campaign, UserAgent: agent,
		AddressHash: q.addressHash(q.r.Context(), q.p.WorkspaceID, q.client), CreatedAt: id.Time(newID),
	}
	in := verdict.Input{
		Workspace: q.p.WorkspaceID, Form: q.p.KeyID, Now: q.Now(), Fields: s.checked(), Honeypot: s.Trap,
		ElapsedMS: s.Elapsed, MinFillMS: q.form.MinFillMS, Captcha: q.captcha, Address: sub.AddressHash,
		UserAgent: agent, Page: page, Referrer: referrer, Service: q.client.Hidden,
		Shared:    q.form.PerMinuteIP > tenant.DefaultFormPerMinuteIP,
		SuspectAt: *q.form.SuspectAt, HoldAt: *q.form.HoldAt,
	}
	q.checkToken(s, &in)
	res := q.checker.Check(&in)
	sub.Verdict, sub.Points, sub.Reasons = res.Verdict, res.Points, res.Reasons
	return sub
}

// checkToken tells what the token says that the page asked for.
func (q *request) checkToken(s *Submission, in *verdict.Input) {
	age, state := q.pageToken(s)
	in.TokenAge, in.TokenRequired = age, q.form.RequireToken && state != proof.Unchecked
	switch state {
	case proof.Valid:
		in.Token = verdict.TokenValid
	case proof.Invalid, proof.Expired:
		in.Token = verdict.TokenInvalid
	}
}

// clean returns a text that Postgres takes.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}

// origin returns where a submission came from: the page and the one before it without what may be secret, and the
// campaign. Fields count before the page's URL.
func (s *Submission) origin(referer string) (page, referrer string, campaign map[string]string) {
	u := pageURL(s.Page)
	if u == nil {
		u = pageURL(referer)
	}
	take := func(name, text string) {
		name = campaignName(name)
		if text = param(name, text); text == "" || campaign[name] != "" {
			return
		}
		if campaign == nil {
			campaign = map[string]string{}
		}
		campaign[name] = text
	}
	for _, n := range s.root.all {
		if n.kind == textKind {
			take(n.name, n.text)
		}
	}
	if u != nil {
		query := u.Query() // what cannot be read is left out
		for _, name := range slices.Sorted(maps.Keys(query)) {
			take(name, query.Get(name))
		}
		page = bare(u)
	}
	if u := pageURL(s.referrer); u != nil {
		referrer = bare(u)
	}
	return page, referrer, campaign
}
