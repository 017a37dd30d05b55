package pg

import (
	"context"
	"log/slog"
	"time"
)

// MigrateWithin is Migrate of less patience.
func (db *DB) MigrateWithin(ctx context.Context, log *slog.Logger, patience time.Duration) (int, error) {
	return db.migrate(ctx, log, patience)
}

// Interval is a duration as a parameter of statements.
func Interval(d time.Duration) string { return interval(d) }
