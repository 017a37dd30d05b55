package upkeep

import (
	"context"
	"errors"
	"fmt"

	"leadgate/shared/task"
)

// imports wakes those that have not ended, and ends uploads of which nothing comes any more.
func (u *Upkeep) imports(ctx context.Context) (string, error) {
	failed, err := u.DB.FailStaleUploads(ctx)
	if failed > 0 {
		u.Log.Warn("uploads broke off", "imports", failed)
	}
	due, failing := u.DB.DueImports(ctx, wakeLimit)
	if failing != nil {
		return "", errors.Join(err, failing)
	}
	keys := make([]task.Key, len(due))
	for i, d := range due {
		keys[i] = task.Import(d.Workspace, d.Import)
	}
	return fmt.Sprintf("imports: %d", len(due)), errors.Join(err, u.repair(ctx, kindImport, keys))
}

// retainImports deletes old imports, and files that nobody needs.
func (u *Upkeep) retainImports(ctx context.Context) string {
	deleted, err := u.DB.DeleteOldImports(ctx, u.Retention)
	if err != nil {
		u.Log.Warn("old imports are left for the next hour", "error", err.Error())
	}
	return fmt.Sprintf(", %d imports", deleted)
}
