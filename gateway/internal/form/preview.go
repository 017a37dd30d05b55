package form

import (
	"leadgate/shared/fault"
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
	Robot    bool           `json:"robot"`    // it would be taken for a robot's
}

// PreviewField is a field that was found.
type PreviewField struct {
	From string `json:"from"` // as the form calls it, with a dot before each name inside another
	To   string `json:"to"`   // of the lead
}

// maxIgnored is how many names of what is ignored are told.
const maxIgnored = 200

// Show tells what a submission of f would become; f has its defaults. Nothing is stored, and no captcha asked. Errors:
// UNSUPPORTED_MEDIA_TYPE; what else there is to say is in the Preview.
func Show(contentType string, raw []byte, f tenant.Form, rules lead.Rules) (Preview, error) {
	p := Preview{Fields: []PreviewField{}, Ignored: []string{}, Warnings: []lead.Warning{}, Errors: []lead.Warning{}}
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
	p.Robot = s.Robot()
	p.ignore(s.root)
	if p.Robot {
		return p, nil
	}
	for _, found := range s.picks {
		p.Fields = append(p.Fields, PreviewField{fault.Truncate(found.from()), found.to})
	}
	d, warnings, wrong := s.make(f, rules, "", false)
	p.Warnings = append(p.Warnings, warnings...)
	if wrong != nil {
		refused := s.refusal(wrong)
		p.Errors = append(p.Errors, lead.Warning{Field: refused.Field, Message: refused.Message})
		return p, nil
	}
	p.Accepted = true
	p.Lead = d.Preview()
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
