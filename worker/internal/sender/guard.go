package sender

import (
	"crypto/tls"
	"net"
	"net/http"
	"syscall"
	"time"

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

// newGuard applies Allow.CheckDial to the address that is dialed.
func newGuard(allow webhook.Allow) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error { return allow.CheckDial(network, address) }
}
