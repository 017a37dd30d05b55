package lead

import (
	"fmt"

	"leadgate/shared/fault"
	"leadgate/shared/strictjson"
)

// Patch is what is to change of a lead: a JSON merge patch (RFC 7396), checked. What is nil or "" stays as it is.
type Patch struct {
	Name       *string // "" clears it
	Email      string  // as ParseEmail shows it
	AddressKey string  // its key; an email is given with both
	NoEmail    bool    // the email is taken away, and the lead is known by its phone from then on
	Region     string  // where a phone without + is from, as ParsePhone has it
	Phone      *string // "" clears it
	Source     *string
	Status     *string
	Metadata   []byte // merged into what there is; "null" empties it

	// Held: the patch is for the lead that has AddressKey. One that has moved to another email meanwhile is not it any
	// more.
	Held bool
}

// ParsePatch reads the body of a request that changes a lead. The error is a VALIDATION_ERROR that tells every mistake
// of the body.
func ParsePatch(body []byte, rules Rules) (Patch, error) {
	p := Patch{Region: rules.Region}
	r := strictjson.NewReader(body, fields)
	for r.Next() {
		switch r.Name() {
		case "name":
			p.Name = some(readText(r, MaxName))
		case "email":
			if p.NoEmail = rules.Phones && !r.Given(); !p.NoEmail {
				p.email(r)
			}
		case "phone":
			p.Phone = some(readText(r, MaxPhone))
		case "source":
			p.Source = needed(r, MaxSource)
		case "status":
			if status := r.ChoiceFold(rules.Statuses); status != "" {
				p.Status = &status
			} else if !r.Given() {
				r.Refuse("Must not be null: a lead has a status")
			}
		case "metadata":
			if p.Metadata = r.Object(MaxMetadata, MaxDepth); !r.Given() {
				p.Metadata = []byte("null")
			}
		}
	}
	if err := r.Err(); err != nil {
		return Patch{}, err
	}
	return p, nil
}

func some(text string) *string { return &text }

// needed reads a text that a lead cannot be without.
func needed(r *strictjson.Reader, limit int) *string {
	rule := fmt.Sprintf("Must be a string of 1 to %d characters", limit)
	text, isString := r.String(rule)
	if isString && tidy(text) != "" {
		return some(readText(r, limit))
	}
	if isString || !r.Given() {
		r.Refuse(rule)
	}
	return nil
}

func (p *Patch) email(r *strictjson.Reader) {
	typed, given := r.String(EmailRule)
	if !given {
		if !r.Given() {
			r.Refuse(EmailRule)
		}
		return
	}
	var ok bool
	if p.Email, p.AddressKey, ok = ParseEmail(typed); !ok {
		r.Refuse(EmailRule)
	}
}

// Patch is d for the lead that has its email already: what the request gives replaces what the lead has, metadata is
// merged into the lead's, and what it does not give, or gives empty, stays.
func (d Draft) Patch() Patch {
	p := Patch{Email: d.Email, AddressKey: d.AddressKey, Metadata: d.Metadata, Held: true}
	if d.Name != "" {
		p.Name = &d.Name
	}
	if d.Phone != "" {
		p.Phone = &d.Phone
	}
	if !d.NoSource {
		p.Source = &d.Source
	}
	if !d.NoStatus {
		p.Status = &d.Status
	}
	return p
}

// Apply changes l. Its other address is unique with what the former one was unique with; callers that know better set
// UniqueKey after it. Errors: VALIDATION_ERROR when the metadata are too large once merged, or when a lead without an
// email would have no phone to know it by; NOT_FOUND for a patch that is Held by an email which l has no longer.
func (p Patch) Apply(l *Lead) error {
	if p.Held && l.AddressKey() != p.AddressKey {
		return NotFoundError()
	}
	if p.Metadata != nil {
		merged, changed := merge(l.Metadata, p.Metadata)
		if changed && string(p.Metadata) == "null" {
			merged, changed = []byte("{}"), len(members(l.Metadata)) > 0
		}
		if len(merged) > MaxMetadata {
			return fault.Invalid([]fault.Field{{Field: "metadata", Pointer: "/metadata",
				Message: fmt.Sprintf("Must be at most %d bytes of JSON once merged into what the lead has: it would be %d",
					MaxMetadata, len(merged))}})
		}
		if changed {
			l.Metadata = merged
		}
	}
	set(&l.Name, p.Name)
	set(&l.Phone, p.Phone)
	set(&l.Source, p.Source)
	set(&l.Status, p.Status)
	return p.identify(l)
}

// identify gives l another key where it has another email or, without one, another phone.
func (p Patch) identify(l *Lead) error {
	key := p.AddressKey
	switch {
	case key != "" && p.Email == "" && l.Email != "":
		return nil // a row without an email is for a lead that has got one since: it keeps it
	case key != "":
		l.Email = p.Email
	case p.NoEmail || p.Phone != nil && l.Email == "":
		number, ok := ParsePhone(l.Phone, p.Region)
		if !ok {
			return fault.Invalid([]fault.Field{{Field: "phone", Pointer: "/phone", Value: fault.Truncate(l.Phone),
				Message: PhoneRule}})
		}
		l.Email, key = "", number.E164
	default:
		return nil
	}
	l.UniqueKey = key + l.UniqueKey[len(l.AddressKey()):]
	return nil
}

func set(to *string, text *string) {
	if text != nil {
		*to = *text
	}
}
