//go:build !linux

package devstack

import (
	"context"
	"fmt"
	"runtime"
)

// disk is what a cut of the power leaves of a cluster.
type disk struct{}

func newDisk(context.Context, string, account) (*disk, error) {
	return nil, fmt.Errorf("%w: not on %s", ErrNoPowerCuts, runtime.GOOS)
}

func (*disk) env() []string { return nil }

func (*disk) cut(server *Process, _ func() bool) error { return server.Kill() }
