package tenant

import (
	"time"

	"leadgate/shared/id"
)

// Usage counts the outcomes of a workspace's leads on one day (UTC).
type Usage struct {
	WorkspaceID id.UUID
	Day         time.Time // midnight (UTC)
	Accepted    int64     // became leads
	Duplicates  int64     // had the email of an existing lead, and changed it or were left out
	Rejected    int64     // could not become leads
	Limited     int64     // exceeded a limit
	Held        int64     // submissions of forms that were put in quarantine
	Suppressed  int64     // had an address that may not come back
	Appended    int64     // submissions of forms that were kept with a lead that was there
}

// Day returns the midnight (UTC) at which the day of at began.
func Day(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }
