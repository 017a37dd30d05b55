package verdict

import (
	"encoding/binary"
	"sync"
	"testing"

	"leadgate/shared/id"
)

func workspaceNumber(n int) (w id.UUID) {
	binary.BigEndian.PutUint64(w[:], uint64(n))
	return w
}

// Whoever has many workspaces, or sends much to one, makes the process remember no more than its bounds.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemory()
	loud := workspaceNumber(1 << 40)
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := range 20_000 {
				w := workspaceNumber(part*1000 + i%1000)
				names := []uint32{uint32(i), uint32(i * 7), uint32(i * 13)}
				m.recall(w, workspaceNumber(i%50), arrival{text: uint64(i), address: uint64(i), at: int64(i)}, names, latin, true)
				m.recall(loud, id.UUID{}, arrival{text: uint64(i), at: int64(i)}, names, latin, true)
			}
		})
	}
	wg.Wait()
	size := 0
	for w, e := range m.workspaces {
		r := e.Value.(*remembered)
		if r.workspace != w || len(r.ring) > maxRemembered || len(r.forms) > maxForms || r.size != startSize+len(r.ring) {
			t.Fatalf("a workspace has %d arrivals and %d forms at size %d", len(r.ring), len(r.forms), r.size)
		}
		for _, f := range r.forms {
			if len(f.names) > maxFieldNames {
				t.Fatalf("a form has %d names", len(f.names))
			}
		}
		size += r.size
	}
	if size != m.size || size > maxRememberedAll || len(m.workspaces) != m.recent.Len() || len(m.workspaces) < 100 {
		t.Errorf("%d workspaces of size %d, counted %d, want at most %d", len(m.workspaces), size, m.size, maxRememberedAll)
	}
}

// The oldest go first, and an hour later nothing counts any more.
func TestMemoryForgetsTheOldest(t *testing.T) {
	t.Parallel()
	m, w := newMemory(), workspaceNumber(1)
	tell := func(text, address uint64, at int64) seen {
		return m.recall(w, id.UUID{}, arrival{text, address, at}, nil, noAlphabet, true)
	}
	tell(7, 1, 1000)
	tell(7, 2, 1001)
	if got := tell(7, 3, 1002); got.sameText != 2 || got.hour != 0 {
		t.Errorf("after two others: %+v, want the same text of 2", got)
	}
	if got := tell(7, 3, 1003); got.sameText != 2 || got.hour != 1 || got.tenMin != 1 {
		t.Errorf("again from the third: %+v, want the same text of 2, and 1 of the address", got)
	}
	if got := tell(7, 4, 1000+3601); got.sameText != 2 {
		t.Errorf("an hour after the first: %+v, want the same text of 2", got)
	}
	if got := tell(7, 5, 1003+7300); got.sameText != 0 {
		t.Errorf("an hour after all: %+v, want no same text", got)
	}
	for i := range uint64(2 * maxRemembered) {
		tell(0, 100+i, 9000)
	}
	if got := tell(7, 6, 9001); got.sameText != 0 {
		t.Errorf("after a flood: %+v, want no same text", got)
	}
}
