package devstack

import (
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
)

// Ports are taken below the range from which systems give ports to outgoing connections (32768 and up): a store that is
// stopped for a while must find its port free when it starts again. None of the stores' standard ports is in this
// range.
const lowPort, highPort = 20000, 32000

// reserved are the ports this process has given out: what is to listen there may do so seconds later.
var reserved sync.Map // port -> what keeps other processes from it, or nil

// FreePort returns a port on which nothing listens at 127.0.0.1, and which nobody else who asks here gets while this
// process lives.
func FreePort() (int, error) {
	return findPort(highPort, take)
}

// busOffset is how far above its own port a node of a Redis cluster has that of its bus; before Redis 7 nothing can
// change that.
const busOffset = 10_000

// freeClusterPort returns a port like FreePort whose bus port is free too.
func freeClusterPort() (int, error) {
	return findPort(highPort-busOffset, func(port int) bool { return take(port) && take(port+busOffset) })
}

func findPort(below int, good func(port int) bool) (int, error) {
	for range 200 {
		if port := lowPort + rand.IntN(below-lowPort); good(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d on 127.0.0.1", lowPort, below)
}

// take reports whether a port was free; then it is ours.
func take(port int) bool {
	if _, taken := reserved.Load(port); taken {
		return false
	}
	var hold net.Listener
	if runtime.GOOS == "linux" { // an abstract socket's name is free again when its process ends, however it ends
		var err error
		if hold, err = net.Listen("unix", fmt.Sprintf("@leadgate-port-%d", port)); err != nil {
			return false
		}
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		if hold != nil {
			hold.Close()
		}
		return false
	}
	l.Close()
	_, raced := reserved.LoadOrStore(port, hold)
	return !raced
}
