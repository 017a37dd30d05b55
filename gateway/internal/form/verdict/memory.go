package verdict

import (
	"container/list"
	"slices"
	"sync"

	"leadgate/shared/id"
)

// Bounds of what is remembered, in arrivals of 24 bytes: 12 MiB in all.
const (
	maxRemembered    = 1024      // of a workspace
	maxRememberedAll = 512 << 10 // of all, with startSize for each workspace
	startSize        = 512       // what a workspace's forms may cost
	maxForms         = 8         // of a workspace
	maxFieldNames    = 48        // of a form
	rememberedFor    = 3600      // seconds
)

// memory is what came lately, by workspace. Whose workspace sends much forgets its own first.
type memory struct {
	mu         sync.Mutex
	workspaces map[id.UUID]*list.Element
	recent     *list.List // of *remembered, the last used first
	size       int        // in arrivals
}

// remembered is what came lately for a workspace.
type remembered struct {
	workspace id.UUID
	size      int // in arrivals; it is guarded by memory.mu

	mu    sync.Mutex
	ring  []arrival // at its full size the oldest goes
	next  int       // where the next goes
	forms map[id.UUID]*formShape
}

// arrival is a submission.
type arrival struct {
	text    uint64 // of what it says; 0: too little to be told from others
	address uint64 // of the visitor; 0: unknown
	at      int64  // Unix seconds
}

// formShape is what a form's submissions look like.
type formShape struct {
	seen   int               // submissions
	names  map[uint32]uint16 // how many had a field, by the hash of its name
	timed  int               // how many told how long the page was shown
	script [alphabets]int    // how many were mostly in an alphabet
}

// A form is known once so many submissions came; later ones count more than those before maxShape.
const (
	settledShape = 30
	maxShape     = 1000
)

// seen is what memory says of a submission.
type seen struct {
	sameText int  // other addresses that sent the text in the last hour
	tenMin   int  // submissions of the address in the last ten minutes
	hour     int  // and in the last hour
	unknown  int  // fields that the form's other submissions do not have
	untimed  bool // it does not tell how long the page was shown, and most others do
	strange  bool // it is in an alphabet that the form's other submissions are not in
}

func newMemory() *memory {
	return &memory{workspaces: map[id.UUID]*list.Element{}, recent: list.New()}
}

// recall tells what is remembered about a submission, and remembers it.
func (m *memory) recall(workspace, form id.UUID, a arrival, names []uint32, script alphabet, timed bool) seen {
	w := m.of(workspace)
	s, grown := w.recall(form, a, names, script, timed)
	if grown > 0 {
		m.grew(w, grown)
	}
	return s
}

func (w *remembered) recall(form id.UUID, a arrival, names []uint32, script alphabet, timed bool) (s seen, grown int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s = w.count(a)
	grown = w.add(a)
	f := w.forms[form]
	if f == nil {
		if len(w.forms) >= maxForms {
			clear(w.forms) // they are learned again
		}
		f = &formShape{names: map[uint32]uint16{}}
		w.forms[form] = f
	}
	f.learn(&s, names, script, timed)
	return s, grown
}

// of returns what is remembered of a workspace.
func (m *memory) of(workspace id.UUID) *remembered {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.workspaces[workspace]; ok {
		m.recent.MoveToFront(e)
		return e.Value.(*remembered)
	}
	w := &remembered{workspace: workspace, size: startSize, forms: map[id.UUID]*formShape{}}
	m.workspaces[workspace] = m.recent.PushFront(w)
	m.size += startSize
	m.forget()
	return w
}

// grew counts the room that w took, unless w was forgotten meanwhile.
func (m *memory) grew(w *remembered, by int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.workspaces[w.workspace]; ok && e.Value == any(w) {
		w.size += by
		m.size += by
		m.forget()
	}
}

// forget makes room: the workspaces that sent nothing for longest go.
func (m *memory) forget() {
	for m.size > maxRememberedAll && m.recent.Len() > 1 {
		w := m.recent.Remove(m.recent.Back()).(*remembered)
		delete(m.workspaces, w.workspace)
		m.size -= w.size
	}
}

// count compares a submission with those that are remembered.
func (w *remembered) count(a arrival) (s seen) {
	var others [3]uint64
	for i := range w.ring {
		r := &w.ring[i]
		if a.at-r.at > rememberedFor {
			continue
		}
		if a.address != 0 && r.address == a.address {
			s.hour++
			if a.at-r.at <= 600 {
				s.tenMin++
			}
		} else if a.text != 0 && r.text == a.text && s.sameText < len(others) &&
			(r.address == 0 || !slices.Contains(others[:s.sameText], r.address)) {
			others[s.sameText] = r.address
			s.sameText++
		}
	}
	return s
}

// add remembers a submission. grown is for how many more there is room now.
func (w *remembered) add(a arrival) (grown int) {
	if w.next == len(w.ring) {
		w.next = 0
		if n := len(w.ring); n < maxRemembered && (n == 0 || a.at-w.ring[0].at <= rememberedFor) {
			grown = max(n, 8)
			w.ring = append(w.ring, make([]arrival, grown)...)
			w.next = n
		}
	}
	w.ring[w.next] = a
	w.next++
	return grown
}

// learn compares a submission with the form's others, and counts it among them.
func (f *formShape) learn(s *seen, names []uint32, script alphabet, timed bool) {
	if f.seen >= maxShape {
		f.seen /= 2
		f.timed /= 2
		for name := range f.names {
			if f.names[name] /= 2; f.names[name] == 0 {
				delete(f.names, name)
			}
		}
		for i := range f.script {
			f.script[i] /= 2
		}
	}
	rare := func(n int) bool { return f.seen >= settledShape && n*50 < f.seen }
	s.strange = script != noAlphabet && rare(f.script[script])
	for _, name := range names {
		n, known := f.names[name]
		if rare(int(n)) {
			s.unknown++
		}
		if known || len(f.names) < maxFieldNames {
			f.names[name] = n + 1
		}
	}
	if len(names) > maxFieldNames {
		s.unknown = 0 // a form with so many is not learned
	}
	s.untimed = !timed && f.seen >= settledShape && f.timed*10 > f.seen*6
	f.seen++
	if timed {
		f.timed++
	}
	f.script[script]++
}
