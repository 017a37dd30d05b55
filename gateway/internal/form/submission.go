package form

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

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
	Trapped bool   // the honeypot is filled in
	Hasty   bool   // the form was filled in faster than a person can

	referrer string
	lead     map[string]entry // by tenant.FieldName and so on
	metadata []member
}

// member is a member of the metadata: its values as JSON.
type member struct {
	name   string
	values [][]byte
}

// Read reads a submission of f, which has its defaults. Empty fields are ignored, because a form sends everything that
// was not filled in as empty. Names that begin with "_" are the form's own; unknown ones are ignored.
func Read(contentType string, body []byte, f tenant.Form) (*Submission, error) {
	entries, err := read(contentType, body)
	if err != nil {
		return nil, err
	}
	s := &Submission{lead: map[string]entry{}}
	var wrong []fault.Field
	for _, e := range entries {
		if s.own(e, f) || e.name == "" || e.empty() {
			continue
		}
		field := tenant.FormField(e.name)
		first, taken := s.lead[field]
		switch {
		case field == "":
			s.add(e)
		case !taken:
			s.lead[field] = e
		case first.name != e.name: // a second phone, under a name of its own
			s.add(e)
		case first.text != e.text:
			again := fault.Field{Field: fault.Truncate(e.name), Value: fault.Truncate(e.text), Message: "Must be given once"}
			wrong = append(wrong, again)
		}
	}
	if wrong != nil && !s.Robot() {
		return nil, fault.Invalid(wrong)
	}
	s.compose()
	return s, nil
}

// Robot reports whether a robot sent the submission.
func (s *Submission) Robot() bool { return s.Trapped || s.Hasty }

// own reads a field that is about the form itself and reports whether e is one.
func (s *Submission) own(e entry, f tenant.Form) bool {
	first := func(to *string) {
		if *to == "" {
			*to = strings.TrimSpace(e.text)
		}
	}
	switch e.name {
	case f.Honeypot:
		s.Trapped = s.Trapped || !e.empty() && string(e.raw) != "false"
	case tenant.FormNext:
		first(&s.Next)
	case tenant.FormPage:
		first(&s.Page)
	case referrerField:
		first(&s.referrer)
	case tenant.FormElapsed: // pages without script cannot tell, and what cannot be read tells nothing
		ms, err := strconv.ParseFloat(strings.TrimSpace(e.text), 64)
		s.Hasty = s.Hasty || err == nil && ms >= 0 && ms < float64(f.MinFillMS)
	case tenant.TurnstileField, tenant.HCaptchaField, tenant.ReCaptchaField:
		if e.name == tenant.CaptchaField(f.Captcha) {
			first(&s.Token)
		}
	default:
		return strings.HasPrefix(e.name, "_") && campaignName(e.name) == "" || f.Captcha != "" && e.name == captchaMark
	}
	return true
}

func (s *Submission) add(e entry) {
	value := e.raw
	if value == nil {
		value = quote(e.text)
	}
	for i := range s.metadata {
		if s.metadata[i].name == e.name {
			s.metadata[i].values = append(s.metadata[i].values, value)
			return
		}
	}
	s.metadata = append(s.metadata, member{e.name, [][]byte{value}})
}

func quote(text string) []byte {
	b, _ := jsontext.AppendQuote(nil, text) // never fails: what is not UTF-8 was refused
	return b
}

// compose makes the name from its parts; beside a whole name they are metadata.
func (s *Submission) compose() {
	first, last := s.lead[tenant.FieldFirstName], s.lead[tenant.FieldLastName]
	delete(s.lead, tenant.FieldFirstName)
	delete(s.lead, tenant.FieldLastName)
	_, whole := s.lead[tenant.FieldName]
	var parts []string
	for _, part := range []entry{first, last} {
		switch {
		case part.empty():
		case whole:
			s.add(part)
		case part.raw != nil: // no text: the lead's reading says so
			s.lead[tenant.FieldName] = part
			return
		default:
			parts = append(parts, strings.TrimSpace(part.text))
		}
	}
	if len(parts) > 0 {
		s.lead[tenant.FieldName] = entry{text: strings.Join(parts, " ")}
	}
}

// captchaMark is the member of metadata that says that the verifier was unavailable.
const captchaMark = "captcha"

// Lead reads the lead by the rules of the API, so that both make the same leads. The error lists every mistake. f has
// its defaults; referer is the header, which names the page where the form does not; unverified marks a lead whose
// captcha could not be verified.
func (s *Submission) Lead(f tenant.Form, statuses []string, referer string, unverified bool) (lead.Draft, error) {
	metadata := s.campaign(referer)
	if unverified {
		metadata = append(metadata, member{captchaMark, [][]byte{quote("unverified")}})
	}
	b := append([]byte(`{"source":`), quote(f.Source)...)
	for _, name := range []string{tenant.FieldName, tenant.FieldEmail, tenant.FieldPhone} {
		e, given := s.lead[name]
		if !given {
			continue
		}
		b = append(append(append(b, ','), quote(name)...), ':')
		if e.raw != nil {
			b = append(b, e.raw...)
		} else {
			b = append(b, quote(e.text)...)
		}
	}
	b = append(b, `,"metadata":{`...)
	for i, m := range metadata {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, quote(m.name)...), ':')
		b = appendValues(b, m.values)
	}
	d, err := lead.Parse(append(b, "}}"...), statuses)
	if name := tenant.CaptchaField(f.Captcha); name != "" && (s.Token == "" || len(s.Token) > maxToken) {
		missing := fault.Field{Field: name, Message: "Please solve the captcha."}
		if err == nil {
			return d, fault.Invalid([]fault.Field{missing})
		}
		return d, fault.Invalid(append(fault.From(err).Fields(), missing))
	}
	return d, err
}

func appendValues(b []byte, values [][]byte) []byte {
	if len(values) == 1 {
		return append(b, values[0]...)
	}
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}
