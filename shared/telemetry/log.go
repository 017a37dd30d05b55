package telemetry

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Logger writes JSON lines at level ("debug", "info", "warn", "error") and above; service is in each. Lines are written
// many at once, after logDelay at most; a warning or an error is written at once, with what waits. flush writes what
// waits: a process that is killed loses the last logDelay of its lines. Another level can be set while it is used.
func Logger(w io.Writer, service, level string) (log *slog.Logger, l *slog.LevelVar, flush func(), err error) {
	l = &slog.LevelVar{}
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, nil, nil, err
	}
	lines := &lineBuffer{w: w}
	h := logHandler{slog.NewJSONHandler(lines, &slog.HandlerOptions{Level: l}), lines}
	return slog.New(h).With("service", service), l, lines.flush, nil
}

// logHandler writes what matters at once.
type logHandler struct {
	slog.Handler
	lines *lineBuffer
}

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		h.lines.flush()
	}
	return err
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs), h.lines}
}

func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name), h.lines}
}

// A line waits for logDelay at most, and until logBytes wait: a system call a request is a tenth of what a lead costs.
const (
	logDelay = 100 * time.Millisecond
	logBytes = 32 << 10
)

// lineBuffer gathers lines for w.
type lineBuffer struct {
	w     io.Writer
	mu    sync.Mutex
	lines []byte
}

func (b *lineBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) == 0 {
		time.AfterFunc(logDelay, b.flush)
	}
	b.lines = append(b.lines, line...)
	if len(b.lines) >= logBytes {
		return len(line), b.write()
	}
	return len(line), nil
}

func (b *lineBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.write() // where a log cannot be written there is nobody to tell
}

func (b *lineBuffer) write() error {
	if len(b.lines) == 0 {
		return nil
	}
	_, err := b.w.Write(b.lines)
	b.lines = b.lines[:0]
	return err
}
