package tenant

import (
	"slices"
	"time"
)

// MaxReason is how many characters the reason of a suspension may have.
const MaxReason = 500

// Suspension is that an administrator has suspended a workspace: its keys, forms and console sessions are refused, and
// nothing is sent for it. What it has stays.
type Suspension struct {
	At         time.Time
	Reason     string     // for administrators; its keys never see it
	ExportedAt *time.Time // when an export ended that was begun since; nil: there was none
	Deleting   bool       // it is being deleted, which nothing ends
}

// MayLook reports whether scopes are for nothing but reading leads, as those of a console session that an administrator
// opens in a suspended workspace must be.
func MayLook(scopes []Scope) bool {
	return len(scopes) > 0 && !slices.ContainsFunc(scopes, func(s Scope) bool { return s != LeadsRead })
}
