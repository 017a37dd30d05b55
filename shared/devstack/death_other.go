//go:build !linux

package devstack

import "syscall"

// dieWithUs does nothing: this system has no parent-death signal. A child left over by a kill -9 is ended at the next
// start (stray.go).
func dieWithUs(*syscall.SysProcAttr, syscall.Signal) {}
