package lead

import (
	"strings"

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

// EmailRule is what an email must be, as every route words it.
const EmailRule = "Must be a valid email address"

var fields = []string{"name", "email", "phone", "source", "status", "metadata"}

// Draft is a lead as a request asks for it: checked, with defaults, and without an id.
type Draft struct {
	Name       string
	Email      string // as ParseEmail shows it
	AddressKey string
	Phone      string
	Source     string
	Status     string
	Metadata   []byte // a JSON object, as it came

	NoSource, NoStatus bool // the request names none: what is there is the default
}

// Parse reads the body of a request that creates a lead. statuses is what its status may be; the first is the default.
// The error is a VALIDATION_ERROR that tells every mistake of the body.
func Parse(body []byte, statuses []string) (Draft, error) {
	var d Draft
	r := strictjson.NewReader(body, fields)
	for r.Next() {
		d.read(r, statuses)
	}
	r.Require("email", EmailRule)
	if err := r.Err(); err != nil {
		return Draft{}, err
	}
	d.fill(statuses)
	return d, nil
}

// read reads the current member.
func (d *Draft) read(r *strictjson.Reader, statuses []string) {
	switch r.Name() {
	case "name":
		d.Name = readText(r, MaxName)
	case "email":
		d.email(r)
	case "phone":
		d.Phone = readText(r, MaxPhone)
	case "source":
		d.Source = readText(r, MaxSource)
	case "status":
		d.Status = readStatus(r, statuses)
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
