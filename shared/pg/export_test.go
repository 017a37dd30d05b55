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

// SkipTable leaves out what is left of the table that the pass is in.
func (p *WorkspacePass) SkipTable() {
	if p.key == "" {
		return
	}
	p.key = ""
	if p.table++; p.table == len(erasedTables) {
		*p = WorkspacePass{owner: p.owner + 1}
	}
}
