package webhook

import (
	"net"
	"net/netip"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"leadgate/shared/hook"
)

// newDialer makes a dialer whose guard sees the address of every connection after the name was resolved:
// neither a redirect nor a name that changes its address gets around it.
func newDialer(allow hook.Allow, resolver *net.Resolver) *net.Dialer {
	public := ssrf.New() // special-purpose networks denied, ports 80 and 443
	return &net.Dialer{
		Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: resolver,
		Control: func(network, address string, c syscall.RawConn) error {
			if to, err := netip.ParseAddrPort(address); err == nil && allow.Covers(to.Addr()) {
				return nil
			}
			return public.Safe(network, address, c)
		},
	}
}
