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
	Duplicates  int64     // had the email of an existing lead
	Rejected    int64     // could not become leads
	Limited     int64     // exceeded the rate limit
}

// Day returns the midnight (UTC) at which the day of at began.
func Day(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }
