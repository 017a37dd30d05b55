package auth

import (
	"leadgate/shared/fault"
	"leadgate/shared/lead"
	"leadgate/shared/tenant"
)

// suspension is what the owner of a suspended workspace is told.
type suspension struct {
	SuspendedAt string  `json:"suspendedAt"`
	Contact     *string `json:"contact"` // null: nobody is named
	Message     string  `json:"message"`
}

// suspended is WORKSPACE_SUSPENDED for a principal of a suspended workspace. Why it is suspended is between its owner and
// the administrator.
func (a *Auth) suspended(p *tenant.Principal) error {
	s := suspension{SuspendedAt: p.SuspendedAt.UTC().Format(lead.TimeFormat),
		Message: "Until it is resumed, keys, forms and the console are refused and no webhook is sent. Nothing is deleted"}
	text := "This workspace is suspended. Ask whoever runs this service"
	if a.contact != "" {
		s.Contact = &a.contact
		text = "This workspace is suspended. Ask " + a.contact
	}
	return &fault.Error{Kind: fault.WorkspaceSuspended, Public: text, Details: s}
}
