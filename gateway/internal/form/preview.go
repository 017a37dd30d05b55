package form

import (
	"sync"
	"time"

	"leadgate/gateway/internal/form/verdict"
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// Preview is what a submission would become.
type Preview struct {
	Accepted bool           `json:"accepted"`
	Lead     *lead.Preview  `json:"lead"`     // null: there would be none
	Fields   []PreviewField `json:"fields"`   // where the lead's fields came from, the first of each field counts
	Ignored  []string       `json:"ignored"`  // what would not be kept
	Warnings []lead.Warning `json:"warnings"` // what would be odd
	Errors   []lead.Warning `json:"errors"`   // why there would be no lead
	// whether it would be believed to be a person's, with why, as far as that can be said without its visitor
	Verdict lead.Verdict  `json:"verdict"`
	Points  int           `json:"points"`
	Reasons []lead.Reason `json:"reasons"`
}

// PreviewField is a field that was found.
type PreviewField struct {
	From string `json:"from"` // as the form calls it, with a dot before each name inside another
	To   string `json:"to"`   // of the lead
}

// maxIgnored is how many names of what is ignored are told.
const maxIgnored = 200

// previewer decides about previews: what is tried out is not remembered with what visitors send.
var previewer = sync.OnceValue(verdict.New)

// Show tells what a submission of f would become; f has its defaults. Nothing is stored, and no captcha asked. Errors:
// UNSUPPORTED_MEDIA_TYPE; what else there is to say is in the Preview.
func Show(contentType string, raw []byte, f tenant.Form, rules lead.Rules) (Preview, error) {
	p := Preview{Fields: []PreviewField{}, Ignored: []string{}, Warnings: []lead.Warning{}, Errors: []lead.Warning{},
		Verdict: lead.Clean, Reasons: []lead.Reason{}}
	s, err := Read(contentType, raw, f)
	if fault.Is(err, fault.Validation) {
		for _, wrong := range fault.From(err).Fields() {
			p.Errors = append(p.Errors, lead.Warning{Field: wrong.Field, Message: wrong.Message})
		}
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.ignore(s.root)
	for _, found := range s.picks {
		p.Fields = append(p.Fields, PreviewField{fault.Truncate(found.from()), found.to})
	}
	d, warnings, wrong := s.make(f, rules, "", false)
	p.Warnings = append(p.Warnings, warnings...)
	if wrong != nil {
		refused, _ := s.refusal(wrong, f)
		p.Errors = append(p.Errors, lead.Warning{Field: refused.Field, Message: refused.Message})
		return p, nil
	}
	p.Accepted = true
	p.Lead = d.Preview()
	page, referrer, _ := s.origin("")
	res := previewer().Check(&verdict.Input{Workspace: id.New(), Now: time.Now(), Fields: s.checked(), Honeypot: s.Trap,
		ElapsedMS: s.Elapsed, MinFillMS: f.MinFillMS, Page: page, Referrer: referrer, Service: true,
		SuspectAt: *f.SuspectAt, HoldAt: *f.HoldAt})
	p.Verdict, p.Points, p.Reasons = res.Verdict, res.Points, append(p.Reasons, res.Reasons...)
	return p, nil
}

// from returns where a value is, and what it answers if that is not its name.
func (p *pick) from() string {
	path := p.value.path()
	if p.name != "" && p.name != p.value.name && p.rank >= 0 && path != p.name {
		return path + " (" + p.name + ")"
	}
	return path
}

// ignore tells what is not kept.
func (p *Preview) ignore(n *node) {
	for _, c := range n.within().all {
		switch {
		case len(p.Ignored) == maxIgnored:
			return
		case c.gone:
			p.Ignored = append(p.Ignored, fault.Truncate(c.path()))
		case c.opened:
			p.ignore(c)
		}
	}
}
