package leadfile

import (
	"leadgate/shared/fault"
	"leadgate/shared/id"
	"leadgate/shared/lead"
)

// Texts of what becomes of imports and their rows after they were read.
const (
	// replaces what a report says of a lead, once that is erased
	ErasedLead     = "The lead that had this email was erased"
	UploadBrokeOff = "The upload broke off"
)

// Duplicate is the mistake of a row whose email a lead has already, or whose phone where it has no email.
func Duplicate(row int, l *lead.Lead, holder id.UUID) Mistake {
	m := Mistake{Row: row, Code: string(fault.Duplicate), Field: "email", Value: fault.Truncate(l.Email), Lead: holder}
	if l.Email == "" {
		m.Code, m.Field, m.Value = string(fault.DuplicatePhone), "phone", fault.Truncate(l.Phone)
	}
	m.Message = lead.DuplicateMessage(l)
	return m
}

// Suppressed is the mistake of a row whose email or phone may not come back. It does not say which: the report is kept,
// and the email may be that of an erased lead.
func Suppressed(row int, l *lead.Lead) Mistake {
	err := lead.SuppressedError(l)
	m := Mistake{Row: row, Code: string(err.Kind), Field: "email", Message: err.Public}
	if l.Email == "" {
		m.Field = "phone"
	}
	return m
}

// MetadataTooLarge is the mistake of a row that does not fit into the lead that has its email.
func MetadataTooLarge(row int, holder id.UUID) Mistake {
	return Mistake{Row: row, Code: string(fault.Validation), Field: "metadata",
		Message: "Must not make the metadata of the lead that has this email too large", Lead: holder}
}

// NameLead ends the message with the id of the lead that it is about, if there is one.
func (m *Mistake) NameLead() {
	if m.Lead != (id.UUID{}) {
		m.Message += ": " + id.Lead.Format(m.Lead)
	}
}
