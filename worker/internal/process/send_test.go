package process

import (
	"math"
	"testing"

	"leadgate/shared/id"
	"leadgate/shared/limit"
)

func TestSocketsAreBoundedByWorkspace(t *testing.T) {
	t.Parallel()
	sockets := limit.NewSemaphore[id.UUID](workspaceSockets, math.MaxInt, 0)
	one, other := id.New(), id.New()
	sum := 0
	for range 50 {
		sum += sockets.TryAcquireUpTo(one, 256)
	}
	if sum != workspaceSockets {
		t.Errorf("granted = %d, want %d", sum, workspaceSockets)
	}
	if got := sockets.TryAcquireUpTo(other, 256); got != 256 {
		t.Errorf("granted to another workspace = %d, want 256", got)
	}
}
