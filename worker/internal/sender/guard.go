package sender

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"leadgate/shared/webhook"
)

// newTransport makes what keeps connections. It never asks a proxy, decompresses nothing, and bounds what a receiver
// can make it hold.
func newTransport(d Deps) *http.Transport {
	secure := &tls.Config{}
	if d.TLS != nil {
		secure = d.TLS.Clone()
	}
	secure.MinVersion = max(secure.MinVersion, tls.VersionTLS12)
	secure.ClientSessionCache = tls.NewLRUClientSessionCache(4 * d.Parallel)
	return &http.Transport{
		Proxy:                  nil, // through a proxy the guard would see only the proxy's address
		DialContext:            newDialer(d.Allow, d.Resolver).DialContext,
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    webhook.MaxTimeout, // net/http goes on with a dial whose attempt has ended: here it ends too
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,           // nobody makes a small answer large
		MaxIdleConnsPerHost:    4 * d.Parallel, // endpoints often share a host
		MaxIdleConns:           16 * d.Parallel,
		IdleConnTimeout:        4 * time.Second, // less than most servers have: a connection closed there costs an attempt
		MaxResponseHeaderBytes: headerLimit,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream:     bodyLimit, // of an endless answer no more waits in memory than is read
			MaxReceiveBufferPerConnection: 1 << 20,
			SendPingTimeout:               15 * time.Second, // else a dead connection fails attempts until the kernel notices
			PingTimeout:                   5 * time.Second,
		},
	}
}

// newDialer makes a dialer whose guard sees the address of every connection after the name was resolved:
// neither a redirect nor a name that changes its address gets around it.
func newDialer(allow webhook.Allow, resolver *net.Resolver) *net.Dialer {
	return &net.Dialer{Timeout: webhook.MaxTimeout, KeepAlive: 30 * time.Second, Resolver: resolver,
		Control: newGuard(allow)}
}

// wireServer answers every machine in Azure with what only it may know, at an address that looks public.
var wireServer = netip.PrefixFrom(netip.AddrFrom4([4]byte{168, 63, 129, 16}), 32)

// newGuard refuses every address but public unicast on port 80 or 443, and what allow covers. Of IPv6 only 2000::/3 is
// public, and of that neither 6to4 nor Teredo; NAT64 and IPv4-mapped or -compatible forms are outside of it. So no form
// of an IPv4 address gets around the IPv4 list.
func newGuard(allow webhook.Allow) func(network, address string, c syscall.RawConn) error {
	public := ssrf.New(ssrf.WithDeniedV4Prefixes(wireServer))
	return func(network, address string, c syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err == nil && allow.Covers(to.Addr()) {
			return nil
		}
		return public.Safe(network, address, c)
	}
}
