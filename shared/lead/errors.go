package lead

import (
	"fmt"

	"leadgate/shared/fault"
)

// NotFoundError is the answer for a lead that the workspace does not have.
func NotFoundError() *fault.Error { return fault.New(fault.NotFound, "Lead not found") }

// DeletedError is the error of reading a lead that was deleted and can be restored.
func DeletedError() *fault.Error {
	return fault.New(fault.NotFound, "This lead was deleted: ?deleted=true reads it, and it can be restored for 30 days")
}

// MaxSuppressions is how many emails of a workspace can be suppressed, give or take a few in a hundred: they are
// counted by a sample. Those of erased leads may be more.
const MaxSuppressions = 1_000_000

// TooManySuppressionsError is the answer beyond MaxSuppressions.
func TooManySuppressionsError() *fault.Error {
	return fault.New(fault.Conflict, fmt.Sprintf("A workspace can have at most %d suppressed emails", MaxSuppressions))
}
