package devstack

import (
	"errors"
	"os"
	"syscall"
)

// ErrLocked is what Lock returns when another process holds the file and the caller would not wait.
var ErrLocked = errors.New("locked by another process")

// Lock takes path as a lock file until release or the end of this process. wait: until it is free, instead of ErrLocked.
func Lock(path string, wait bool) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}
