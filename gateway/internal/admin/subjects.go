package admin

import (
	"context"
	"strings"
	"sync"
	"time"

	"leadgate/shared/id"
	"leadgate/shared/pg"
	"leadgate/shared/task"
	"leadgate/shared/webhook"
)

// Bounds of the memory of names.
const (
	subjectLife = time.Minute
	maxSubjects = 1000
)

// subjects remembers for a while what tasks are about, in words: the dashboard asks for each task of a list by itself,
// and again every few seconds.
type subjects struct {
	db  *pg.DB
	now func() time.Time

	mu    sync.Mutex
	until time.Time // when all are forgotten
	known map[task.Key]string
}

// of is what a task is about. Where names cannot be read in time it has the ids.
func (s *subjects) of(key task.Key) string {
	s.mu.Lock()
	text, ok := s.known[key]
	if now := s.now(); now.After(s.until) || len(s.known) >= maxSubjects {
		s.known, s.until, ok = map[task.Key]string{}, now.Add(subjectLife), false
	}
	s.mu.Unlock()
	if ok {
		return text
	}
	text = s.read(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[key] = text
	return text
}

// read is "Acme · hooks.example.com · endpoint we_... of ws_...". Of an endpoint's URL it has the host alone: the rest may be
// a secret of its owner.
func (s *subjects) read(key task.Key) string {
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	var words []string
	if w, err := s.db.GetWorkspace(ctx, key.Workspace); err == nil {
		words = append(words, w.Name)
	}
	if key.Endpoint != (id.UUID{}) {
		if e, err := s.db.GetEndpoint(ctx, key.Workspace, key.Endpoint); err == nil {
			words = append(words, webhook.Host(e.URL))
		}
	}
	return strings.Join(append(words, key.String()), " · ")
}
