//go:build !linux

package devstack

import "syscall"

// setDeathSignal does nothing: this system has no parent-death signal. A child left over by a kill -9 is ended at the
// next start (stray.go).
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
