package devstack

import "syscall"

// dieWithUs has the kernel send sig to the child when we die, however we die.
func dieWithUs(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
