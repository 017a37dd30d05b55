package tenant

import (
	"time"

	"leadgate/shared/id"
)

// Usage is what a workspace's leads came to on one day (UTC).
type Usage struct {
	WorkspaceID id.UUID
	Day         time.Time // its midnight
	Accepted    int64     // became leads
	Duplicates  int64     // had the email of a lead
	Rejected    int64     // could not become leads
	Limited     int64     // came too fast
}

// Plus is the sum of two of one workspace and day.
func (u Usage) Plus(v Usage) Usage {
	u.Accepted += v.Accepted
	u.Duplicates += v.Duplicates
	u.Rejected += v.Rejected
	u.Limited += v.Limited
	return u
}

// Day is the day of at.
func Day(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }
