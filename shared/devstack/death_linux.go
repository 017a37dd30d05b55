package devstack

import "syscall"

// setDeathSignal has the kernel send sig to the child when we die, however we die.
func setDeathSignal(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
