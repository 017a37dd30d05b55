package pg

import (
	"context"
	"time"

	"leadgate/shared/pg/conn"
)

// releaseLife is how long a row of releases stays: as long as the reservation in Redis that it is about.
const releaseLife = 24 * time.Hour

// DeleteOldReleases empties the table releases, in bounded batches. Versions to 0.1.0 write into it, during a rolling
// upgrade and before: reservations that they had still to give up in Redis, with emails in clear. Nobody reads it now.
// It looks across workspaces.
func (db *DB) DeleteOldReleases(ctx context.Context) (deleted int, err error) {
	q := deleteFirst("releases", `created_at < now() - cast($1 as interval)`, "")
	return conn.DeleteInBatches(ctx, db, "delete old releases", q, interval(releaseLife))
}
