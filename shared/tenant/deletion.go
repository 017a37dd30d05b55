package tenant

import (
	"time"

	"leadgate/shared/id"
)

// Deletion is that of a workspace with all that it has, under way or done: then it is the receipt. It holds no name and
// nothing of a person.
type Deletion struct {
	Workspace   id.UUID
	Sandbox     id.UUID // of its test data; zero: it had none
	RequestedBy string  // the administrator; "": the command line
	RequestedAt time.Time
	ExportedAt  *time.Time     // when it was exported; nil: it was deleted without that
	Erased      map[string]int // rows by table, and keys of Redis as "redis"
	ErasedAt    *time.Time     // nil: it is being erased
	FinishedAt  *time.Time     // when it was looked through once more; nil: it was not yet
}
