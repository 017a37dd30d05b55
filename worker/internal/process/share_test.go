package process

import (
	"testing"

	"leadgate/shared/id"
)

func TestShareIsBoundedByWorkspace(t *testing.T) {
	t.Parallel()
	var s share
	one, other := id.New(), id.New()
	sum := 0
	for range 50 {
		sum += s.take(one, 256)
	}
	if sum > workspaceSockets+50 || sum < workspaceSockets {
		t.Errorf("granted = %d, want about %d", sum, workspaceSockets)
	}
	if got := s.take(one, 256); got != 1 {
		t.Errorf("granted when all is used = %d, want 1", got)
	}
	if got := s.take(other, 256); got != 256 {
		t.Errorf("granted to another workspace = %d, want 256", got)
	}
	s.give(one, sum+1)
	s.give(other, 256)
	if len(s.used) != 0 {
		t.Errorf("used = %v after all was given back, want nothing", s.used)
	}
}
