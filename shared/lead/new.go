package lead

import (
	"leadgate/shared/fault"
	"leadgate/shared/id"
)

// OnDuplicate is what happens to a new lead whose email, or phone where it has none, another lead has.
type OnDuplicate string

// The ways.
const (
	RefuseDuplicate OnDuplicate = "error"  // the new lead is refused
	UpdateDuplicate OnDuplicate = "update" // the other lead gets what the new one gives
	ReturnDuplicate OnDuplicate = "return" // the other lead is the answer and stays as it is

	AppendDuplicate OnDuplicate = "append" // of forms: the submission is kept with the other lead, which gets what it has not
	IgnoreDuplicate OnDuplicate = "ignore" // of forms: the submission is kept, the other lead stays as it is, and nobody hears of it
)

// OnDuplicates returns every OnDuplicate but those of forms.
func OnDuplicates() []OnDuplicate {
	return []OnDuplicate{RefuseDuplicate, UpdateDuplicate, ReturnDuplicate}
}

// SuppressedError is the answer for a lead whose email, or phone where it has none, is suppressed, whether or not it
// was ever erased.
func SuppressedError(l *Lead) *fault.Error {
	kind, what := fault.Suppressed, "email"
	if l.Email == "" {
		kind, what = fault.SuppressedPhone, "phone"
	}
	return fault.New(kind, "This "+what+" is suppressed; a lead can have it again once its suppression is deleted")
}

// DuplicateMessage tells whose email another lead has, or whose phone where it has no email, that it is so.
func DuplicateMessage(l *Lead) string {
	if l.Email == "" {
		return "A lead with this phone already exists in your workspace"
	}
	return "A lead with this email already exists in your workspace"
}

// Origin is what a new lead has besides its draft.
type Origin struct {
	Workspace id.UUID
	ID        id.UUID // its time is when the lead was created
	Chatbot   id.UUID // zero: none
	UniqueKey string  // of tenant.Settings.UniqueKey
}

// New returns the lead of a draft.
func New(d *Draft, o Origin) Lead {
	at := id.Time(o.ID)
	return Lead{
		WorkspaceID: o.Workspace, ID: o.ID, ChatbotID: o.Chatbot, UniqueKey: o.UniqueKey,
		Name: d.Name, Email: d.Email, Phone: d.Phone, Source: d.Source, Status: d.Status, Metadata: d.Metadata,
		CreatedAt: at, UpdatedAt: at,
	}
}
