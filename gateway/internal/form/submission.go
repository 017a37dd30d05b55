package form

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// referrerField is the URL of the page before the form's.
const referrerField = "_referrer"

// maxToken is how many bytes a captcha's token may have; hCaptcha's are the longest, about 4 KiB.
const maxToken = 8 << 10

// Submission is what a visitor sent, sorted into what is the lead's and what is the form's.
type Submission struct {
	Next    string // where a plain form wants to go; "": it does not say
	Page    string // URL of the page; "": it does not say
	Token   string // of the form's captcha
	Proof   string // the signed token that the page asked for; "": none
	Trap    string // what is in the honeypot; "": nothing
	Elapsed int    // milliseconds since the page was shown, as it says; negative: it does not say

	referrer string
	root     *node
	home     *node // in which the email is
	picks    []pick
	metadata members
	parents  map[string]*node // in which node each name of metadata is
	warnings []lead.Warning
}

// Read reads a submission of f, which has its defaults. Empty fields are ignored, because a form sends everything that
// was not filled in as empty. Names that begin with "_" are the form's own; unknown ones are ignored.
func Read(contentType string, raw []byte, f tenant.Form) (*Submission, error) {
	b, err := read(contentType, raw)
	if err != nil {
		return nil, err
	}
	s := &Submission{root: b.root, warnings: b.warnings, parents: map[string]*node{}, Elapsed: -1}
	for _, n := range b.root.all {
		n.gone = s.own(n, f)
		n.hidden = n.gone && n.name != f.Honeypot && n.name != tenant.FormElapsed
	}
	s.picks = find(b.root, f)
	if i := slices.IndexFunc(s.picks, func(p pick) bool { return p.to == lead.FieldEmail }); i >= 0 {
		s.home = s.picks[i].in
	}
	if p := s.twoAddresses(); p != nil {
		return nil, invalid([]fault.Field{{Field: fault.Truncate(p.value.sent()),
			Message: "Was given twice, with two different addresses: please give the right one only"}},
			mistakes{{p.name, emailTwice}})
	}
	if list := s.severalPeople(f); list != "" {
		return nil, severalError(list)
	}
	s.collect(b.root)
	return s, nil
}

// Warn tells of something odd that did not cost the lead.
func (s *Submission) Warn(field, message string) {
	s.warnings = append(s.warnings, lead.Warning{Field: field, Message: message})
}

// own reads a field that is about the form itself and reports whether n is one.
func (s *Submission) own(n *node, f tenant.Form) bool {
	first := func(to *string) {
		if *to == "" {
			*to = strings.TrimSpace(n.string())
		}
	}
	switch n.name {
	case f.Honeypot:
		if string(n.raw) != "false" {
			first(&s.Trap)
		}
	case tenant.FormNext:
		first(&s.Next)
	case tenant.FormPage:
		first(&s.Page)
	case tenant.FormToken:
		first(&s.Proof)
	case referrerField:
		first(&s.referrer)
	case tenant.FormElapsed: // pages without script cannot tell, and what cannot be read tells nothing
		ms, err := strconv.ParseFloat(strings.TrimSpace(n.string()), 64)
		if err == nil && ms >= 0 && ms <= tenant.MaxFillMS {
			s.Elapsed = int(ms)
		}
	case tenant.TurnstileField, tenant.HCaptchaField, tenant.ReCaptchaField, tenant.AltchaField:
		if n.name == tenant.CaptchaField(f.Captcha) {
			first(&s.Token)
		}
	default:
		return strings.HasPrefix(n.name, "_") && campaignName(n.name) == "" && !isEmail(n.name) || isServiceKey(n.name) ||
			f.Captcha != "" && n.name == captchaMark
	}
	return true
}

// isEmail reports whether a name means an email: other services call it _replyto.
func isEmail(name string) bool {
	field, _ := lead.FieldOf(name)
	return field == lead.FieldEmail
}

// isServiceKey reports whether a service proves with this field who it is; such a key is not kept.
func isServiceKey(name string) bool {
	return strings.EqualFold(name, "google_key") || strings.EqualFold(name, "HandshakeKey")
}

// twoAddresses returns the email's field where the form has it twice with different addresses: then only the visitor
// knows which is right. nil: there is no such.
func (s *Submission) twoAddresses() *pick {
	var best *pick
	key := ""
	for i := range s.picks {
		p := &s.picks[i]
		if p.to != lead.FieldEmail || p.rank < 0 || p.value.kind != textKind {
			continue
		}
		k, ok := lead.EmailKey(p.value.text)
		switch {
		case !ok:
		case best == nil:
			best, key = p, k
		case k != key && p.in == best.in && p.value.name == best.value.name && p.value.name != "" &&
			p.value.parent == best.value.parent:
			return p
		}
	}
	return nil
}

// collect makes metadata of what goes nowhere else. Objects and lists of which a part went elsewhere come as their
// members.
func (s *Submission) collect(n *node) {
	in := n.within()
	for at, c := range in.all {
		if c.answer == nil && !c.gone && (in.kind == listKind || in != s.root) && n.opened {
			if a := answerOf(c); a != nil {
				c.answer, c.label = a.value, a.labels[0]
			}
		}
		switch {
		case c.gone, c.taken, c.empty():
		case c.answer != nil:
			if !c.answer.taken && !c.answer.empty() {
				s.keep(c.label, in, c.answer)
			}
		case c.opened:
			s.collect(c)
		case c.label != "":
			s.keep(c.label, in, c)
		case c.name == "":
			s.keep(itoa(at), in, c)
		default:
			s.keep(c.name, in, c)
		}
	}
}

// keep adds a member of metadata. Values of one name in one place make a list; of another place the name of that is put
// before it.
func (s *Submission) keep(name string, in, value *node) {
	if isSecret(name) {
		s.Warn(name, "Is not kept: a lead is no place for it")
		return
	}
	if campaign := campaignName(name); campaign != "" && in != s.root {
		name = campaign
	}
	if strings.EqualFold(name, "gcl_id") { // as Google's lead forms call it
		name = "gclid"
	}
	// The name of a company is not to look like the lead's.
	if in != s.root && isOther(in.called()) && !(in == s.home && in.isForm()) {
		name = in.called() + "." + name
	}
	raw := value.json()
	if value.kind == textKind {
		raw = quote(strings.TrimSpace(value.text))
	}
	for range maxLevels {
		from, has := s.parents[name]
		if !has || from == in {
			break
		}
		if old := s.metadata.list[s.metadata.at[name]].json(); string(old) == string(raw) {
			return
		}
		name = strings.TrimPrefix(in.path()+".", ".") + name
	}
	s.parents[name] = in
	s.metadata.add(name, raw)
}

// captchaMark is the member of metadata that says that the verifier was unavailable, and warningsMark that which has
// what was odd. No field of a form can be called like the second.
const (
	captchaMark  = "captcha"
	warningsMark = "_warnings"
)

// warningBytes is kept free for warnings.
const warningBytes = 3 << 10

// Lead makes the lead. Only its email can be refused, or its phone where that would do; what else is odd is told in
// metadata. f has its defaults; referer is the header, which names the page where the form does not; unverified marks a
// lead whose captcha could not be verified.
func (s *Submission) Lead(f tenant.Form, rules lead.Rules, referer string, unverified bool) (lead.Draft, error) {
	d, _, refused := s.make(f, rules, referer, unverified)
	var wrong []fault.Field
	var told mistakes
	if refused != nil {
		field, one := s.refusal(refused, f)
		wrong, told = append(wrong, field), append(told, one)
	}
	if name := tenant.CaptchaField(f.Captcha); name != "" && (s.Token == "" || len(s.Token) > maxToken) {
		says := captchaMissing
		if f.Captcha == tenant.Altcha {
			says = proofMissing
		}
		wrong, told = append(wrong, fault.Field{Field: name, Message: english.say(says)}), append(told, mistake{says: says})
	}
	if wrong != nil {
		return lead.Draft{}, invalid(wrong, told)
	}
	return d, nil
}

// make makes the lead, and tells what was odd.
func (s *Submission) make(f tenant.Form, rules lead.Rules, referer string, unverified bool) (
	d lead.Draft, warnings []lead.Warning, wrong *lead.EmailError) {
	g := lead.NewGatherer(rules)
	marks := s.campaign(referer)
	if unverified {
		marks = append(marks, member{captchaMark, [][]byte{quote("unverified")}})
	}
	reserve := warningBytes
	for _, m := range marks {
		reserve += len(m.name) + len(m.json()) + len(`"":,`)
	}
	reserved := []string{warningsMark}
	if f.Captcha != "" {
		reserved = append(reserved, captchaMark)
	}
	g.Reserve(reserve, reserved...)
	g.TellIn(warningsMark)
	g.Set(lead.FieldSource, lead.FieldSource, 0, f.Source)
	for _, p := range s.picks {
		name, isMember := strings.CutPrefix(p.to, tenant.MemberOf)
		switch raw := p.value.within().json(); {
		case isMember:
			g.MemberJSON(name, raw)
		case p.value.kind == textKind && p.value.inside == nil:
			g.Set(p.to, p.name, p.rank, p.value.text)
		default:
			g.SetJSON(p.to, p.name, p.rank, raw)
		}
	}
	for _, m := range s.metadata.list {
		g.MemberJSON(m.name, m.json())
	}
	for _, w := range s.warnings {
		g.Warn(w.Field, "%s", w.Message)
	}
	for _, m := range marks {
		g.Mark(m.name, m.json())
	}
	d, err := g.Draft()
	if err != nil && !errors.As(err, &wrong) {
		wrong = &lead.EmailError{} // it has no other errors
	}
	return d, g.Warnings(), wrong
}
