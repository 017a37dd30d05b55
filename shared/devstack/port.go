package devstack

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are taken below the range from which systems give ports to outgoing connections (32768 and up): a store that is
// stopped for a while must find its port free when it starts again. None of the stores' standard ports is in this range.
const lowPort, highPort = 20000, 32000

// FreePort returns a port on which nothing listens at 127.0.0.1.
func FreePort() (int, error) {
	for range 200 {
		port := lowPort + rand.IntN(highPort-lowPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		return port, nil
	}
	return 0, fmt.Errorf("no free port between %d and %d on 127.0.0.1", lowPort, highPort)
}
