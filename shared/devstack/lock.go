package devstack

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// ErrLocked is what Lock returns when another process holds the file and the caller would not wait.
var ErrLocked = errors.New("locked by another process")

// Lock takes path as a lock file until release or the end of this process. wait: until it is free, instead of
// ErrLocked. It holds a bare descriptor: an os.File would be closed, and the lock lost, when the garbage collector
// finds release dropped.
func Lock(path string, wait bool) (release func(), err error) {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err = syscall.Flock(fd, how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		syscall.Close(fd)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	// Once only: the number may be another file's afterwards.
	return sync.OnceFunc(func() { syscall.Close(fd) }), nil
}
