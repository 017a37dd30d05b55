package form

import (
	"context"
	"sync"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
)

// Bounds of what is held, beside the form's maxHeldPerDay. Each gateway counts what it adds to what it found, so that
// several of them can hold a little more.
const (
	maxHeldBytes   = 64 << 20 // of fields, of a form and day (UTC)
	maxQuarantines = 20_000   // forms that are remembered
)

// quarantines know how much is held of each form today.
type quarantines struct {
	mu    sync.Mutex
	day   time.Time
	forms map[id.UUID]*quarantine
}

// quarantine is how much of a form is held.
type quarantine struct {
	mu    sync.Mutex // held by who reads what is there
	known bool
	held  pg.Held
}

// of returns the quarantine of a form on a day.
func (all *quarantines) of(form id.UUID, day time.Time) *quarantine {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.forms == nil || !all.day.Equal(day) || len(all.forms) >= maxQuarantines && all.forms[form] == nil {
		all.day, all.forms = day, map[id.UUID]*quarantine{}
	}
	h := all.forms[form]
	if h == nil {
		h = &quarantine{}
		all.forms[form] = h
	}
	return h
}

// take reports whether another submission of so many bytes can be held, and counts it then; read tells how much is
// there, once.
func (h *quarantine) take(ctx context.Context, size, most int, read func(context.Context) (pg.Held, error)) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.known {
		held, err := read(ctx)
		if err != nil {
			return false, err
		}
		h.known, h.held = true, held
	}
	if h.held.Rows >= most || h.held.Bytes >= maxHeldBytes {
		return false, nil
	}
	h.held.Rows++
	h.held.Bytes += int64(size)
	return true, nil
}

// uncount takes back what was counted and not kept.
func (h *quarantine) uncount(size int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held.Rows--
	h.held.Bytes -= int64(size)
}
