package api

import (
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"

	"leadgate/shared/fault"
	"leadgate/shared/tenant"
)

// Bounds of the fields of a form beside its file.
const (
	maxFormFields = 32
	maxFormText   = 64 << 10 // bytes of their values
)

// openForm reads a form up to its file. The fields before that say what query parameters say, and are checked as those
// are; the import is read again with them.
func (u *upload) openForm(p *tenant.Principal, boundary string) (imp importRequest, err error) {
	u.form = multipart.NewReader(body{u}, boundary)
	fields, err := u.fields()
	if err != nil {
		return imp, err
	}
	q, err := withFields(u.r.URL.Query(), fields)
	if err != nil {
		return imp, err
	}
	return u.readImport(u.r, p, q)
}

// fields reads the fields of a form that come before its file, which is left to be read.
func (u *upload) fields() (url.Values, error) {
	fields, room := url.Values{}, maxFormText
	for n := 0; ; n++ {
		part, err := u.form.NextRawPart()
		switch {
		case u.failed != nil:
			return nil, u.failed
		case err == io.EOF:
			return nil, fault.InvalidField("body", nil, "Must have a file: a part of the form with a filename, or with the "+
				"name file")
		case err != nil:
			return nil, fault.InvalidField("body", nil, "Must be a form as multipart/form-data that is whole")
		case isFile(part):
			u.file = formPart{part, u}
			return fields, nil
		case n == maxFormFields:
			return nil, fault.InvalidField("body", nil, fmt.Sprintf("Must have at most %d fields before the file", maxFormFields))
		}
		name := fieldName(part)
		value, err := io.ReadAll(io.LimitReader(formPart{part, u}, int64(room)+1))
		if err != nil {
			return nil, err
		}
		if room -= len(value); room < 0 {
			return nil, fault.InvalidField(fault.Truncate(name), nil,
				fmt.Sprintf("Must be at most %d bytes, together with the other fields of the form", maxFormText))
		}
		fields[name] = append(fields[name], string(value))
	}
}

// endForm reads a form to its end, after its file: nothing may follow, for it would come too late. A body that is no
// form has nothing more.
func (u *upload) endForm() error {
	if u.form == nil {
		return nil
	}
	part, err := u.form.NextRawPart()
	switch {
	case u.failed != nil:
		return u.failed
	case err != nil: // it is the end, or something after a file that is whole
		return nil
	case isFile(part):
		return fault.InvalidField("body", nil, "Must have one file: this form has several")
	}
	name, rule := fieldName(part), unknownRule(importParams)
	if slices.Contains(importParams, name) {
		rule = "Must come before the file in the form, or be a query parameter"
	}
	return fault.InvalidField(fault.Truncate(name), nil, rule)
}

func isFile(part *multipart.Part) bool { return part.FileName() != "" || part.FormName() == "file" }

func fieldName(part *multipart.Part) string {
	if name := strings.ToValidUTF8(part.FormName(), "\uFFFD"); name != "" {
		return name
	}
	return "unnamed"
}

// withFields returns query parameters and the fields of a form together. What is in both must be the same.
func withFields(query, fields url.Values) (*params, error) {
	if err := checkValues(fields, importParams); err != nil {
		return nil, err
	}
	q := &params{Values: maps.Clone(fields)}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if fields.Has(name) && fields.Get(name) != query.Get(name) {
			q.addError(name, "Must be the same in the form and in the query, which has "+fault.Truncate(query.Get(name)))
		}
		q.Values[name] = query[name]
	}
	return q, q.err()
}

// formPart is a part of a form.
type formPart struct {
	*multipart.Part
	up *upload
}

func (p formPart) Read(b []byte) (int, error) {
	n, err := p.Part.Read(b)
	if err != nil && err != io.EOF {
		if err = p.up.failed; err == nil {
			err = fault.InvalidField("body", nil, "The file broke off before its end")
		}
	}
	return n, err
}
