package process

import (
	"sync"

	"leadgate/shared/id"
)

// workspaceSockets is how many attempts one workspace has under way in one worker, over all its endpoints, before each gets only one more.
const workspaceSockets = 1024

// share counts the attempts each workspace may have under way, so that none uses up the process's sockets.
type share struct {
	mu   sync.Mutex
	used map[id.UUID]int
}

// take grants up to want, and one at least: nobody waits for somebody else's attempts to end.
func (s *share) take(workspace id.UUID, want int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == nil {
		s.used = map[id.UUID]int{}
	}
	granted := max(1, min(want, workspaceSockets-s.used[workspace]))
	s.used[workspace] += granted
	return granted
}

func (s *share) give(workspace id.UUID, granted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[workspace] -= granted; s.used[workspace] == 0 {
		delete(s.used, workspace)
	}
}
