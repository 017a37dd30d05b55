package lead

import (
	"slices"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/strictjson"
)

// Limits of a lead's fields.
const (
	MaxName     = 200      // characters
	MaxEmail    = 254      // bytes (RFC 5321 4.5.3.1.3)
	MaxPhone    = 40       // characters
	MaxSource   = 100      // characters
	MaxMetadata = 32 << 10 // bytes of JSON
	MaxDepth    = 8        // levels of metadata, which is the first
)

// DefaultSource is the source of a lead that names none.
const DefaultSource = "api"

// What an email must be, and a phone where it stands for one, as every route words it.
const (
	EmailRule        = "Must be a valid email address"
	EmailOrPhoneRule = "Must be a valid email address; a lead without one needs a phone"
	PhoneRule        = "Must be a phone number with + and its country code, such as +1 650 253 0000, or one of the " +
		"workspace's defaultRegion: a lead without an email is known by it"
)

// Rules are what a workspace asks of its leads.
type Rules struct {
	Statuses []string // what a lead's status may be; the first is the default
	Phones   bool     // a lead may have a phone and no email; it is known by its phone then
	Region   string   // where a phone without + is from, as ParsePhone has it
}

var fields = []string{"name", "email", "phone", "source", "status", "metadata"}

// Draft is a lead as a request asks for it: checked, with defaults, and without an id.
type Draft struct {
	Name       string
	Email      string // as ParseEmail shows it; "": none
	AddressKey string // of the email; of a lead without one its phone as E.164
	Phone      string
	Source     string
	Status     string
	Metadata   []byte // a JSON object, as it came

	NoSource, NoStatus bool // the request names none: what is there is the default
}

// Parse reads the body of a request that creates a lead. The error is a VALIDATION_ERROR that tells every mistake of
// the body.
func Parse(body []byte, rules Rules) (Draft, error) {
	var d Draft
	r := strictjson.NewReader(body, fields)
	for r.Next() {
		d.read(r, rules)
	}
	d.identify(r, rules)
	if err := r.Err(); err != nil {
		return Draft{}, err
	}
	d.fill(rules.Statuses)
	return d, nil
}

// read reads the current member.
func (d *Draft) read(r *strictjson.Reader, rules Rules) {
	switch r.Name() {
	case "name":
		d.Name = readText(r, MaxName)
	case "email":
		if !rules.Phones || !r.Blank() {
			d.email(r)
		}
	case "phone":
		d.Phone = readText(r, MaxPhone)
	case "source":
		d.Source = readText(r, MaxSource)
	case "status":
		d.Status = readStatus(r, rules.Statuses)
	case "metadata":
		if !r.Blank() {
			d.Metadata = r.Object(MaxMetadata, MaxDepth)
		}
	}
}

// readText reads a text of at most limit characters, without the space around it, which people do not see, and with
// spaces for line breaks and other control characters; "": none.
func readText(r *strictjson.Reader, limit int) string {
	text, _ := r.String("Must be a string")
	if strings.IndexByte(text, 0) >= 0 { // only a program that errs sends it
		r.Refuse("Must not contain the character U+0000")
		return ""
	}
	text = tidy(text)
	if wrong := strictjson.CheckText(text, limit); wrong != "" {
		r.Refuse(wrong)
		return ""
	}
	return text
}

// readStatus reads one of statuses, in any case; "": none.
func readStatus(r *strictjson.Reader, statuses []string) string {
	if r.Blank() {
		return ""
	}
	return r.ChoiceFold(statuses)
}

func (d *Draft) email(r *strictjson.Reader) {
	typed, given := r.String(EmailRule)
	if !given {
		return
	}
	var ok bool
	if d.Email, d.AddressKey, ok = ParseEmail(typed); !ok {
		r.Refuse(EmailRule)
	}
}

// identify sees to it that the lead can be known: by its email or, where the workspace takes that, by its phone.
func (d *Draft) identify(r *strictjson.Reader, rules Rules) {
	if !rules.Phones {
		r.Require("email", EmailRule)
		return
	}
	if d.AddressKey != "" {
		return
	}
	if told, _ := r.Wrong(); slices.ContainsFunc(told, isOfEmail) {
		return
	}
	if d.Phone == "" {
		r.RefuseMember("email", nil, EmailOrPhoneRule)
		return
	}
	number, ok := ParsePhone(d.Phone, rules.Region)
	if !ok {
		r.RefuseMember("phone", fault.Truncate(d.Phone), PhoneRule)
	}
	d.AddressKey = number.E164
}

func isOfEmail(f fault.Field) bool { return f.Field == "email" }

func (d *Draft) fill(statuses []string) {
	if d.Source == "" {
		d.Source, d.NoSource = DefaultSource, true
	}
	if d.Status == "" {
		d.Status, d.NoStatus = statuses[0], true
	}
	if d.Metadata == nil {
		d.Metadata = []byte("{}")
	}
}
