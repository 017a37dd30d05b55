package rdb

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogTo sends go-redis' own messages, which it would print to stderr, to log, for the whole process. Their level is
// debug: an outage makes one for each failed dial, and whoever notices it logs it once.
func LogTo(log *slog.Logger) { redis.SetLogger(library{log}) }

type library struct{ log *slog.Logger }

func (l library) Printf(ctx context.Context, format string, args ...any) {
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, "go-redis", "text", fmt.Sprintf(format, args...))
	}
}
